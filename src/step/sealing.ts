import type { StepLogger } from '@dudousxd/nestjs-durable-core';
import { StepFailedError } from '../errors.ts';

/** A step whose time can be over before it has ended. */
export interface Sealing {
  /** Ends the step: set when it runs, to be called when its time is over, at most once and not after its result is there. */
  seal: (() => void) | undefined;
  /** The step did something after that, and it was dropped: returned, threw or logged. Called once. */
  onLate(): void;
}

/**
 * What a step gives, as long as its time is not over; then it fails as `lambda_timeout`, retryable, and is sealed: nothing that it
 * still gives, throws or logs goes anywhere.
 *
 * Nobody can stop a promise. The step may go on, until its process freezes and beyond; it must only not be heard.
 * @param readable what its error is made into
 */
export function sealable(
  running: PromiseLike<unknown>,
  logger: StepLogger,
  sealing: Sealing,
  readable: (thrown: unknown) => Error,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let late: (() => void) | undefined;
    sealing.seal = () => {
      late = once(() => sealing.onLate());
      silence(logger, late);
      reject(readable(new StepFailedError('lambda_timeout', 'the time of the Lambda invocation was over before the step had ended', true)));
    };
    const failed = (error: unknown) => (late === undefined ? reject(readable(error)) : late());
    try {
      running.then((output) => (late === undefined ? resolve(output) : late()), failed);
    } catch (error) {
      failed(error);
    }
  });
}

function once(call: () => void): () => void {
  let called = false;
  return () => {
    if (!called) call();
    called = true;
  };
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
  try {
    Object.assign(logger, silent);
  } catch {
    // The step has frozen its context: what it logs is collected for nobody, then.
  }
}
