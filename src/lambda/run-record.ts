import type { SQSRecord } from 'aws-lambda';
import { errorFields, type Logger, writes } from '../logger.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import { payloadFailure } from '../step/payload-failure.ts';
import { runTask, type Worker } from '../step/run-task.ts';
import { monotonicMs } from '../time.ts';
import type { RemoteTask } from '../wire/remote-task.ts';
import type { StepResult } from '../wire/step-result.ts';
import { deliver, encodedFor } from './deliver-result.ts';
import type { FlushCost } from './flush-cost.ts';
import { type ReadRecord, readRecord } from './read-record.ts';
import type { Run } from './run-records.ts';
import type { StepDurations } from './step-durations.ts';
import { type LambdaStepContext, receiveCountOf, StepInWork } from './step-in-work.ts';
import type { WarmRepeats } from './warm-repeats.ts';

export interface RecordRunner {
  readonly worker: Worker<LambdaStepContext>;
  /** Steps of one invocation at the same time. */
  readonly concurrency: number;
  /** Name of the attribute that marks our messages; records without it belong to another consumer. */
  readonly marker: string | undefined;
  readonly payloadStore: PayloadStore | undefined;
  /** False where results only go to a terminal. */
  readonly storesResults: boolean;
  /** Told what a step threw, where somebody at a terminal asked for the run. */
  readonly onThrown: ((thrown: unknown) => void) | undefined;
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
  const { batch, gate, deadline, inWork } = run;
  const { worker, logger, durations, repeats } = runner;
  const duration = durations.of(task.name);
  const kept = repeats.size === 0 ? undefined : repeats.find(task, body);
  if (kept === undefined && !deadline.worthStarting(duration?.typicalMs)) return 'not started';
  batch.start();
  gate.begin();
  const work = new StepInWork(record, task, run, logger);
  inWork.add(work);
  let message = kept;
  let endedAt = monotonicMs();
  if (message === undefined) {
    const startedAt = endedAt;
    const result = await runTask(task, worker, work);
    endedAt = monotonicMs();
    work.seal = undefined;
    duration?.add(endedAt - startedAt);
    if (work.outOfTime && runner.onDeadline === 'redeliver') {
      logger.warn('step not finished in time; its record will be delivered again', work.ids);
      inWork.delete(work);
      gate.refused();
      return 'failed';
    }
    const encoded = encodedFor(result, work, runner);
    logEnd(logger, work, endedAt - startedAt, encoded.result);
    if (work.thrown !== undefined) runner.onThrown?.(work.thrown.cause);
    message = encoded.message;
  } else {
    logger.info('step not run again: its result was still here', work.ids);
  }
  work.unsent = { task, body, message };
  const outcome = await deliver(record, { subject: task, message, unsent: work.unsent, madeAt: endedAt }, work, run, runner);
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
  const { message } = encodedFor(payloadFailure(subject, 'the task could not be read', error), { ids }, runner);
  return await deliver(record, { subject, message, madeAt: monotonicMs() }, { ids }, run, runner);
}

function logEnd(logger: Logger, work: StepInWork, tookMs: number, sent: StepResult): void {
  const completed = sent.status === 'completed';
  if (completed && !writes(logger, 'info')) return;
  const { ids, thrown } = work;
  const fields = { ...ids, durationMs: Math.round(tookMs) };
  if (completed) {
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
