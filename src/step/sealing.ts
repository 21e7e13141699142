import type { StepLogger } from '@dudousxd/nestjs-durable-core';
import { StepFailedError } from '../errors.ts';

/** What ends a step from outside. */
export interface Sealing {
  /** Calls back when the step's time is over. Gives what takes that back. */
  onSeal(seal: () => void): () => void;
  /** The step did something after that, and it was dropped: returned, threw or logged. Called once. */
  onLate(): void;
}

/**
 * What a step gives, as long as its time is not over; then it fails as `lambda_timeout`, retryable, and is sealed: nothing that it
 * still gives, throws or logs goes anywhere.
 *
 * Nobody can stop a promise. The step may go on, until its process freezes and beyond; it must only not be heard.
 */
export function sealable(running: unknown, logger: StepLogger, sealing: Sealing): unknown {
  if (!isThenable(running)) return running;
  return new Promise((resolve, reject) => {
    let sealed = false;
    let told = false;
    const late = () => {
      if (told) return;
      told = true;
      sealing.onLate();
    };
    const forget = sealing.onSeal(() => {
      sealed = true;
      silence(logger, late);
      reject(new StepFailedError('lambda_timeout', 'the time of the Lambda invocation was over before the step had ended', true));
    });
    const ended = (settle: () => void) => {
      if (sealed) return late();
      forget();
      settle();
    };
    running.then(
      (output) => ended(() => resolve(output)),
      (error: unknown) => ended(() => reject(error)),
    );
  });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** The result has left with what was logged until now: more lines would only be collected for nobody. */
function silence(logger: StepLogger, late: () => void): void {
  const { subProcess } = logger;
  const silent: StepLogger = {
    debug: late,
    info: late,
    warn: late,
    error: late,
    sub: late,
    subEvent: late,
    // Its body is the step's own work and runs all the same.
    subProcess: (...args) => {
      late();
      return subProcess(...args);
    },
  };
  Object.assign(logger, silent);
}
