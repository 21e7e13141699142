import type { Context, SQSRecord } from 'aws-lambda';
import { errorFields, type LogFields, type Logger } from '../logger.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import type { ReadableError } from '../step/readable-error.ts';
import { runTask, type Worker } from '../step/run-task.ts';
import type { StepContext } from '../step/step-context.ts';
import type { RemoteTask } from '../wire/remote-task.ts';
import type { StepResult } from '../wire/step-result.ts';
import { deliver, encodedFor } from './deliver-result.ts';
import type { FlushCost } from './flush-cost.ts';
import { type ReadRecord, readRecord, unreadableResult } from './read-record.ts';
import type { Run } from './run-records.ts';
import type { StepDurations } from './step-durations.ts';
import { StepInWork } from './step-in-work.ts';
import type { WarmRepeats } from './warm-repeats.ts';

/** {@link StepContext} of a step that runs on Lambda. */
export interface LambdaStepContext extends StepContext {
  /** The context of the invocation. */
  readonly lambda: Context;
}

export interface RecordRunner {
  readonly worker: Worker<LambdaStepContext>;
  /** Steps of one invocation at the same time. */
  readonly concurrency: number;
  /** Name of the attribute that marks our messages; records without it belong to another consumer. */
  readonly marker: string | undefined;
  readonly payloadStore: PayloadStore | undefined;
  /** False where results only go to a terminal. */
  readonly storesResults: boolean;
  /** What becomes of a step that has not ended in time. */
  readonly onDeadline: 'fail' | 'redeliver';
  readonly logger: Logger;
  readonly costs: FlushCost;
  readonly durations: StepDurations;
  readonly repeats: WarmRepeats;
}

/** `failed`: to be delivered again. `not started`: too, and at once; nothing was done. */
export type RecordOutcome = 'settled' | 'failed' | 'not started';

/** Runs one record, from its body to its settled result. Never rejects. No promise of its own: there may be 10,000 records. */
export function runRecord(record: SQSRecord, run: Run, runner: RecordRunner): RecordOutcome | Promise<RecordOutcome> {
  if (run.deadline.reached) return 'not started';
  const { marker, logger } = runner;
  const { messageId } = record;
  if (marker !== undefined && record.messageAttributes?.[marker] === undefined) {
    logger.warn('record without the marker attribute left to other consumers', { messageId, marker });
    return 'failed';
  }
  const reading = readRecord(record, runner.payloadStore);
  return reading instanceof Promise ? reading.then((read) => runRead(record, read, run, runner)) : runRead(record, reading, run, runner);
}

function runRead(record: SQSRecord, read: ReadRecord, run: Run, runner: RecordRunner): RecordOutcome | Promise<RecordOutcome> {
  const { logger } = runner;
  const { messageId } = record;
  switch (read.kind) {
    case 'task':
      return runTaskOf(record, read.task, read.body, run, runner);
    case 'unreadable':
      return answerUnreadable(record, read, run, runner);
    case 'malformed':
      logger.error('record is not a RemoteTask; left for the dead-letter queue', { messageId, problem: read.problem });
      return 'failed';
    case 'unavailable':
      logger.error('the task of a record cannot be read now; it will be delivered again', { messageId, ...errorFields(read.error) });
      return 'failed';
  }
}

async function runTaskOf(record: SQSRecord, task: RemoteTask, body: string, run: Run, runner: RecordRunner): Promise<RecordOutcome> {
  const { batch, gate, deadline, lambda, inWork, remainingTimeMs } = run;
  const { worker, logger, durations, repeats } = runner;
  const receiveCount = receiveCountOf(record);
  const ids = {
    step: task.name,
    runId: task.runId,
    stepId: task.stepId,
    attempt: task.attempt,
    receiveCount,
    messageId: record.messageId,
    requestId: lambda.awsRequestId,
  };

  const kept = repeats.size === 0 ? undefined : repeats.find(task, body);
  if (kept === undefined && !deadline.worthStarting(durations.typicalMs(task.name))) return 'not started';
  batch.start();
  gate.begin();
  const work = new StepInWork(ids, logger, !deadline.finite);
  inWork.add(work);
  if (kept !== undefined) {
    logger.info('step not run again: its result was still here', ids);
    work.unsent = { task, body, message: kept };
    const outcome = await deliver(record, { subject: task, message: kept, unsent: work.unsent }, ids, run, runner);
    inWork.delete(work);
    return outcome;
  }

  const startedAt = performance.now();
  const delivery = { lambda, signal: deadline.signal, receiveCount, remainingTimeMs };
  const result = await runTask(task, delivery, worker, work);
  const tookMs = performance.now() - startedAt;
  if (worker.steps.has(task.name)) durations.record(task.name, tookMs);

  if (work.outOfTime && runner.onDeadline === 'redeliver') {
    logger.warn('step not finished in time; its record will be delivered again', ids);
    inWork.delete(work);
    gate.refused();
    return 'failed';
  }
  const encoded = encodedFor(result, ids, runner);
  logEnd(logger, { ...ids, durationMs: Math.round(tookMs) }, work.thrown, encoded.result);
  work.unsent = { task, body, message: encoded.message };
  const outcome = await deliver(record, { subject: task, message: encoded.message, unsent: work.unsent }, ids, run, runner);
  inWork.delete(work);
  return outcome;
}

/** The step cannot run, and never will: that is an answer too, where the object's key tells whose it is. */
async function answerUnreadable(
  record: SQSRecord,
  { ids: subject, error }: Extract<ReadRecord, { kind: 'unreadable' }>,
  run: Run,
  runner: RecordRunner,
): Promise<RecordOutcome> {
  const { logger } = runner;
  if (subject === undefined) {
    logger.error('the stored task of a record cannot be read; left for the dead-letter queue', {
      messageId: record.messageId,
      ...errorFields(error),
    });
    return 'failed';
  }
  const { runId, stepId } = subject;
  const { awsRequestId: requestId } = run.lambda;
  const ids = { runId, stepId, receiveCount: receiveCountOf(record), messageId: record.messageId, requestId };
  logger.error('the stored task of a record cannot be read; the step fails', { ...ids, ...errorFields(error) });
  run.batch.start();
  run.gate.begin();
  const { message } = encodedFor(unreadableResult(subject, error), ids, runner);
  return await deliver(record, { subject, message }, ids, run, runner);
}

function receiveCountOf({ attributes }: SQSRecord): number {
  return Number(attributes?.ApproximateReceiveCount ?? 1);
}

function logEnd(logger: Logger, fields: LogFields, thrown: ReadableError | undefined, sent: StepResult): void {
  if (sent.status === 'completed') {
    logger.info('step completed', fields);
    return;
  }
  logger.warn('step failed', {
    ...fields,
    ...(thrown === undefined ? {} : errorFields(thrown)),
    ...(sent.error?.code === undefined ? {} : { errorCode: sent.error.code }),
    retryable: sent.error?.retryable !== false,
  });
}
