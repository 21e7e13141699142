import type { Context, SQSRecord } from 'aws-lambda';
import { InvalidMessageError } from '../errors.ts';
import { errorFields, type LogFields, type Logger } from '../logger.ts';
import { encodeResult } from '../step/encode-result.ts';
import type { ReadableError } from '../step/readable-error.ts';
import { runTask, type Worker } from '../step/run-task.ts';
import type { StepContext } from '../step/step-context.ts';
import type { MessageAttributes } from '../wire/limits.ts';
import { decodeRemoteTask, type RemoteTask } from '../wire/remote-task.ts';
import type { StepResult } from '../wire/step-result.ts';
import type { Batch } from './batch.ts';
import { type ResultChannel, refusesOnlyThisMessage } from './result-channel.ts';
import { SendGate } from './send-gate.ts';

/** {@link StepContext} of a step that runs on Lambda. */
export interface LambdaStepContext extends StepContext {
  /** The context of the invocation. */
  readonly lambda: Context;
}

export interface RecordRunner {
  readonly worker: Worker<LambdaStepContext>;
  readonly channel: ResultChannel;
  /** Steps of one invocation at the same time. */
  readonly concurrency: number;
  /** Name of the attribute that marks our messages; records without it belong to another consumer. */
  readonly marker: string | undefined;
  readonly logger: Logger;
}

/** How long before the end of an invocation `step.signal` aborts. */
const SIGNAL_RESERVE_MS = 1_000;

/**
 * Runs the records of one invocation: decode, run, send the result, settle. The result of a record is always sent before the
 * record is settled, and no record's trouble touches another's.
 */
export async function runRecords(records: readonly SQSRecord[], lambda: Context, batch: Batch, runner: RecordRunner): Promise<void> {
  const deadline = deadlineSignal(lambda);
  const gate = new SendGate();
  let next = 0;

  const lane = async () => {
    while (next < records.length && (await gate.open())) {
      const record = records[next];
      next += 1;
      if (record !== undefined) await runRecord(record, lambda, deadline.signal, batch, runner, gate);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(runner.concurrency, records.length) }, lane));
  } finally {
    deadline.clear();
  }
  if (next < records.length) {
    runner.logger.warn('records not started: results are not being accepted', {
      records: records.length - next,
      requestId: lambda.awsRequestId,
    });
  }
}

async function runRecord(
  record: SQSRecord,
  lambda: Context,
  signal: AbortSignal,
  batch: Batch,
  { worker, channel, marker, logger }: RecordRunner,
  gate: SendGate,
): Promise<void> {
  const task = taskOf(record, marker, logger);
  if (task === undefined) return;

  const delivery = {
    lambda,
    signal,
    receiveCount: Number(record.attributes?.ApproximateReceiveCount ?? 1),
    remainingTimeMs: () => remainingTimeMs(lambda),
  };
  const ids: LogFields = {
    step: task.name,
    runId: task.runId,
    stepId: task.stepId,
    attempt: task.attempt,
    receiveCount: delivery.receiveCount,
    messageId: record.messageId,
    requestId: lambda.awsRequestId,
  };
  batch.start();
  gate.begin();
  const startedAt = performance.now();
  const ran = await runTask(task, delivery, worker);
  const durationMs = Math.round(performance.now() - startedAt);

  const attributes: MessageAttributes | undefined = marker === undefined ? undefined : { [marker]: '1' };
  const encoded = encodeResult(ran.result, attributes);
  if (encoded.dropped.length > 0) logger.warn('result did not fit or could not be encoded', { ...ids, dropped: encoded.dropped.join(',') });
  logEnd(logger, { ...ids, durationMs }, ran.thrown, encoded.result);

  try {
    await channel.send({ body: encoded.body, ...(attributes === undefined ? {} : { attributes }) }, remainingTimeMs(lambda));
    batch.settle(record);
    gate.succeeded();
  } catch (error) {
    batch.sendFailed(error);
    if (refusesOnlyThisMessage(error)) gate.refused();
    else gate.failed();
    logger.error('result not accepted by SQS; the record will be delivered again', { ...ids, ...errorFields(error) });
  }
}

/** The task of a record, or undefined where the record is not ours to run: it stays unsettled and is delivered again. */
function taskOf(record: SQSRecord, marker: string | undefined, logger: Logger): RemoteTask | undefined {
  if (marker !== undefined && record.messageAttributes?.[marker] === undefined) {
    logger.warn('record without the marker attribute left to other consumers', { messageId: record.messageId, marker });
    return undefined;
  }
  try {
    // A body-parsing middleware may have been here before us.
    const body: unknown = record.body;
    return decodeRemoteTask(typeof body === 'string' ? body : JSON.stringify(body));
  } catch (error) {
    const problem = error instanceof InvalidMessageError ? error.problem : 'it cannot be read';
    logger.error('record is not a RemoteTask; left for the dead-letter queue', { messageId: record.messageId, problem });
    return undefined;
  }
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

function remainingTimeMs(lambda: Context): number {
  // Absent where a handler is called by hand with a bare object.
  return lambda.getRemainingTimeInMillis?.() ?? Number.POSITIVE_INFINITY;
}

/** One signal and one timer for all steps of an invocation. */
function deadlineSignal(lambda: Context): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  const remaining = remainingTimeMs(lambda);
  const delay = Math.max(0, remaining - Math.min(SIGNAL_RESERVE_MS, remaining / 10));
  // Longer than a timer can run is longer than Lambda can.
  const timer = delay > 2 ** 31 - 1 ? undefined : setTimeout(() => controller.abort(new Error('the Lambda deadline nears')), delay);
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}
