import type { StepLogger } from '@dudousxd/nestjs-durable-core';
import type { Context, SQSRecord } from 'aws-lambda';
import type { LogFields, Logger } from '../logger.ts';
import type { ReadableError } from '../step/readable-error.ts';
import type { TaskRun } from '../step/run-task.ts';
import type { Sealing } from '../step/sealing.ts';
import type { StepContext } from '../step/step-context.ts';
import type { RemoteTask } from '../wire/remote-task.ts';
import type { Run } from './run-records.ts';
import type { Unsent } from './warm-repeats.ts';

/** {@link StepContext} of a step that runs on Lambda. */
export interface LambdaStepContext extends StepContext {
  /** The context of the invocation. */
  readonly lambda: Context;
}

/**
 * A step of an invocation, from its start until SQS has its result or has refused it.
 *
 * One object with methods, where closures would do: there may be 10,000 at a time, and most are asked for little.
 */
export class StepInWork implements TaskRun<LambdaStepContext>, Sealing {
  readonly sealing: Sealing | undefined;
  seal: (() => void) | undefined;
  thrown: ReadableError | undefined;
  /** Its result, once there is one. */
  unsent: Unsent | undefined;
  /** Whether its time was over before it had ended. */
  outOfTime = false;
  readonly #record: SQSRecord;
  readonly #task: RemoteTask;
  readonly #run: Run;
  readonly #logger: Logger;

  constructor(record: SQSRecord, task: RemoteTask, run: Run, logger: Logger) {
    this.#record = record;
    this.#task = task;
    this.#run = run;
    this.#logger = logger;
    this.sealing = run.deadline.finite ? this : undefined;
  }

  /** Fields of its log lines. */
  get ids() {
    const { name: step, runId, stepId, attempt } = this.#task;
    const { messageId } = this.#record;
    const requestId = this.#run.lambda.awsRequestId;
    return { step, runId, stepId, attempt, receiveCount: receiveCountOf(this.#record), messageId, requestId } satisfies LogFields;
  }

  contextOf(logger: StepLogger): LambdaStepContext {
    return extended(logger, this.#task, receiveCountOf(this.#record), this.#run);
  }

  /** Its time is over. */
  end(): void {
    if (this.seal === undefined) return;
    this.outOfTime = true;
    this.seal();
  }

  onLate(): void {
    this.#logger.warn('a step went on after its time; what it did since is dropped', this.ids);
  }
}

export function receiveCountOf({ attributes }: SQSRecord): number {
  return Number(attributes?.ApproximateReceiveCount ?? 1);
}

type Filling<T> = { -readonly [Field in keyof T]?: T[Field] };

/** Field by field: `Object.assign` costs three times as much. */
function extended(logger: StepLogger, task: RemoteTask, receiveCount: number, run: Run): LambdaStepContext;
function extended(context: Filling<LambdaStepContext>, task: RemoteTask, receiveCount: number, run: Run): object {
  context.task = task;
  context.receiveCount = receiveCount;
  context.lambda = run.lambda;
  context.signal = run.deadline.signal;
  context.remainingTimeMs = run.remainingTimeMs;
  return context;
}
