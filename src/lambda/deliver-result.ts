import type { SQSRecord } from 'aws-lambda';
import { PayloadStoreError } from '../errors.ts';
import { errorFields, type LogFields } from '../logger.ts';
import { storeLargeBody } from '../payloads/message-body.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import { encodeResult } from '../step/encode-result.ts';
import { payloadFailure } from '../step/payload-failure.ts';
import { sendFitting } from '../step/send-fitting.ts';
import { monotonicMs } from '../time.ts';
import { MAX_MESSAGE_BYTES, type MessageAttributes } from '../wire/limits.ts';
import type { StepResult } from '../wire/step-result.ts';
import type { TaskIds } from './read-record.ts';
import { refusesOnlyThisMessage } from './result-channel.ts';
import type { RecordOutcome, RecordRunner } from './run-record.ts';
import type { Run } from './run-records.ts';
import type { Unsent } from './warm-repeats.ts';

/** A payload store takes what SQS does not; this bounds what a worker and an engine have to hold in memory. */
const MAX_STORED_BYTES = 64 * 1_048_576;

/** A result on its way to the engine. */
export interface Answer {
  readonly subject: TaskIds;
  readonly message: OutgoingMessage;
  /** When it was there, by `monotonicMs()`. */
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
      const given = await sendFitting(small, send);
      if (given !== undefined) {
        logger.warn('result too large for the results queue; sent without what did not fit', { ...about.ids, ...given });
      }
    } finally {
      costs.record(monotonicMs() - madeAt);
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
    if (!(error instanceof PayloadStoreError) || error.transient) throw error;
    runner.logger.error('the result is too large for SQS and could not be stored; the step fails', { ...about.ids, ...errorFields(error) });
    const failed = payloadFailure({ runId, seq, stepId }, 'the result could not be stored', error);
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
