import type { SQSRecord } from 'aws-lambda';
import { PayloadStoreError, StepFailedError } from '../errors.ts';
import { errorFields, type LogFields } from '../logger.ts';
import { storeLargeBody } from '../payloads/message-body.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import { encodeResult } from '../step/encode-result.ts';
import { MAX_MESSAGE_BYTES, type MessageAttributes, messageBytes } from '../wire/limits.ts';
import { decodeStepResult, type StepResult } from '../wire/step-result.ts';
import type { TaskIds } from './read-record.ts';
import { mayBeTooLarge, refusesOnlyThisMessage } from './result-channel.ts';
import type { RecordOutcome, RecordRunner } from './run-record.ts';
import type { Run } from './run-records.ts';
import type { Unsent } from './warm-repeats.ts';

/** A payload store takes what SQS does not; this bounds what a worker and an engine have to hold in memory. */
const MAX_STORED_BYTES = 64 * 1_048_576;
/**
 * What a queue may take where it takes less than SQS: the default of queues made before August 2025, and the least a queue can be set to.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html `MaximumMessageSize`
 */
const SMALLER_QUEUES_BYTES = [262_144, 1_024];

/** A result on its way to the engine. */
export interface Answer {
  readonly subject: TaskIds;
  readonly message: OutgoingMessage;
  /** When it was there, by `performance.now()`. */
  readonly madeAt: number;
  /** What is kept where SQS does not accept it. */
  readonly unsent?: Unsent;
}

/** What a result belongs to, in log lines; put together only where there is something to log. */
export interface Identified {
  readonly ids: LogFields;
}

/** Sends a result and settles its record. Never rejects. */
export async function deliver(
  record: SQSRecord,
  { subject, message, madeAt, unsent }: Answer,
  about: Identified,
  { batch, gate, deadline, channel }: Run,
  runner: RecordRunner,
): Promise<RecordOutcome> {
  const { logger, costs, repeats, payloadStore, storesResults } = runner;
  try {
    const small = payloadStore === undefined || !storesResults ? message : await stored(message, subject, about, runner);
    const send = (sent: OutgoingMessage) => channel.send(sent, deadline.remainingMs(), subject.runId);
    try {
      await (small === message ? sendFitting(message, send, about, runner) : send(small));
    } finally {
      costs.record(performance.now() - madeAt);
    }
    batch.settle(record);
    gate.succeeded();
    // After the last moment the record is already reported, and will come again.
    if (unsent !== undefined && repeats.size > 0 && !deadline.closed) repeats.forget(unsent.task);
    return 'settled';
  } catch (error) {
    batch.sendFailed(error);
    if (refusesOnlyThisMessage(error)) {
      // The same message would be refused for ever.
      if (unsent !== undefined) repeats.forget(unsent.task);
      gate.refused();
    } else {
      if (unsent !== undefined) repeats.keep(unsent);
      if (error instanceof PayloadStoreError) gate.refused();
      else gate.failed();
    }
    logger.error('result not accepted by SQS; the record will be delivered again', { ...about.ids, ...errorFields(error) });
    return 'failed';
  }
}

/**
 * Sends a result; where its queue takes less than SQS does, what fits there. The limit is the queue's own and not known here; left at the
 * refusal, the step would run as often as its tasks queue allows.
 */
async function sendFitting(
  message: OutgoingMessage,
  send: (message: OutgoingMessage) => Promise<void>,
  about: Identified,
  { marker, logger }: RecordRunner,
): Promise<void> {
  try {
    await send(message);
  } catch (error) {
    const bytes = messageBytes(message.body, message.attributes);
    const limits = mayBeTooLarge(error) ? SMALLER_QUEUES_BYTES.filter((limitBytes) => limitBytes < bytes) : [];
    for (const limitBytes of limits) {
      const smaller = encodeMessage(decodeStepResult(message.body), marker, limitBytes);
      if (!(await isTaken(() => send(smaller.message)))) continue;
      const given = { bytes, dropped: smaller.dropped.join(',') };
      logger.warn('result too large for the results queue; sent without what did not fit', {
        ...about.ids,
        ...errorFields(error),
        ...given,
      });
      return;
    }
    throw error;
  }
}

/** False where SQS refused it for its size once more. */
async function isTaken(send: () => Promise<void>): Promise<boolean> {
  try {
    await send();
    return true;
  } catch (error) {
    if (mayBeTooLarge(error)) return false;
    throw error;
  }
}

/** The message as SQS takes it; where the store will never take the body, a failed result that says so. @throws what may pass */
async function stored(
  message: OutgoingMessage,
  { runId, seq, stepId }: TaskIds,
  about: Identified,
  runner: RecordRunner,
): Promise<OutgoingMessage> {
  try {
    return await storeLargeBody(message, { kind: 'result', runId, stepId, seq }, runner.payloadStore);
  } catch (error) {
    if (!(error instanceof PayloadStoreError) || error.passing) throw error;
    runner.logger.error('the result is too large for SQS and could not be stored; the step fails', { ...about.ids, ...errorFields(error) });
    const { message: text, code, retryable } = new StepFailedError('payload_store', `the result could not be stored: ${error.message}`);
    const failed: StepResult = { runId, seq, stepId, status: 'failed', error: { message: text, code, retryable } };
    return encodeMessage(failed, runner.marker, MAX_MESSAGE_BYTES).message;
  }
}

/** A result as its message; what was given up for it is logged. */
export function encodedFor(result: StepResult, about: Identified, { marker, payloadStore, logger }: RecordRunner) {
  const encoded = encodeMessage(result, marker, payloadStore === undefined ? MAX_MESSAGE_BYTES : MAX_STORED_BYTES);
  const { dropped } = encoded;
  if (dropped.length > 0) logger.warn('result did not fit or could not be encoded', { ...about.ids, dropped: dropped.join(',') });
  return encoded;
}

/** A result as a message. */
export function encodeMessage(result: StepResult, marker: string | undefined, limitBytes: number) {
  const attributes: MessageAttributes | undefined = marker === undefined ? undefined : { [marker]: '1' };
  const encoded = encodeResult(result, attributes, limitBytes);
  const { body } = encoded;
  const message: OutgoingMessage = attributes === undefined ? { body } : { body, attributes };
  return { message, result: encoded.result, dropped: encoded.dropped };
}
