import { PayloadStoreError, SqsRequestError, StepFailedError } from '../errors.ts';
import { errorFields } from '../logger.ts';
import { MAX_STORED_BYTES, storeLargeBody } from '../payloads/message-body.ts';
import { decodePointer } from '../payloads/pointer.ts';
import { tries } from '../sqs/retry.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import { isFifoQueue } from '../topology/fifo-queues.ts';
import { messageGroupOfRun } from '../topology/message-group.ts';
import { MAX_MESSAGE_BYTES, messageBytes } from '../wire/limits.ts';
import type { InFlightTask, TaskHost } from './in-flight-task.ts';
import type { AnyResult, EncodedResult, TaskIds } from './task-format.ts';

/**
 * What a queue may accept where it accepts less than SQS does: the default of queues made before August 2025, and the
 * least that a queue can be set to.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
 * `MaximumMessageSize`
 */
const SMALLER_QUEUES_BYTES = [262_144, 1_024];
/** Codes of refusals that are about what is in one message, whichever queue, role or time. */
const ONE_MESSAGE_CODES = /^(InvalidMessageContents|BatchRequestTooLong)$/;
/** Of an entry and of a request: SQS also refuses a message that is too large by one of these, and other things too. */
const PARAMETER_CODES = /^InvalidParameterValue(Exception)?$/;

/** Whether SQS refused a message for what it is, and not for who sent it: for its size, most likely. */
export function isRefusedMessage(error: unknown): error is SqsRequestError {
  if (!(error instanceof SqsRequestError) || error.transient) return false;
  return ONE_MESSAGE_CODES.test(error.sqsCode) || PARAMETER_CODES.test(error.sqsCode);
}

/** Whether SQS refused this message alone: then other results are still worth computing. */
export function refusesOnlyThisMessage(error: unknown): boolean {
  return isRefusedMessage(error) && ONE_MESSAGE_CODES.test(error.sqsCode);
}

/** A result as a message, and what encoding has made of it. */
export function encodeAnswer<Task, Result extends AnyResult>(
  result: Result,
  { format, marker, payloadStore }: Pick<TaskHost<Task, Result>, 'format' | 'marker' | 'payloadStore'>,
  limitBytes: number = payloadStore === undefined ? MAX_MESSAGE_BYTES : MAX_STORED_BYTES,
): { readonly message: OutgoingMessage; readonly encoded: EncodedResult<Result> } {
  const attributes = marker === undefined ? undefined : { [marker]: '1' };
  const encoded = format.encode(result, attributes, limitBytes);
  const { body } = encoded;
  return { message: attributes === undefined ? { body } : { body, attributes }, encoded };
}

/**
 * The failure of a task whose stored body cannot be read, or whose result cannot be stored. Not retryable: every
 * attempt would meet it.
 */
export function payloadFailure(
  what: 'the task could not be read' | 'the result could not be stored',
  error: PayloadStoreError,
): StepFailedError {
  return new StepFailedError('payload_store', `${what}: ${error.message}`);
}

/**
 * A result as a FIFO results queue takes it. To be made once for all tries of one send: by its deduplication id SQS
 * drops a second copy of what it has accepted without our knowing.
 */
export function inGroupOfRun(message: OutgoingMessage, runId: string): OutgoingMessage {
  return { ...message, groupId: messageGroupOfRun(runId), deduplicationId: crypto.randomUUID() };
}

/**
 * Sends an answer, by way of the payload store where it is large. Resolves once SQS has accepted it.
 *
 * Of a result that SQS refuses, most likely for its size, what fits is sent: its queue may accept less than SQS does.
 * How much is not known here; left at the refusal, the step would run as often as its tasks queue allows.
 * @throws what the last try met; the first refusal, where SQS accepts nothing smaller either
 */
export async function sendAnswer<Task, Result extends AnyResult>(
  message: OutgoingMessage,
  ids: TaskIds,
  inFlight: InFlightTask<Task, Result>,
): Promise<void> {
  const { host } = inFlight;
  const { results } = host;
  const nextTry = tries(host.sendRetries());
  let stored = host.payloadStore === undefined ? message : undefined;
  let inGroup: OutgoingMessage | undefined;
  let smaller: SmallerResult | undefined;
  let refusal: SqsRequestError | undefined;
  for (;;) {
    let queueUrl: string | undefined;
    let whole: OutgoingMessage | undefined;
    try {
      stored ??= await storedMessage(message, ids, inFlight);
      const url = results.url();
      queueUrl = typeof url === 'string' ? url : await url;
      if (isFifoQueue(queueUrl)) inGroup ??= inGroupOfRun(stored, ids.runId);
      whole = inGroup ?? stored;
      await results.send(queueUrl, smaller === undefined ? whole : { ...whole, body: smaller.body });
      break;
    } catch (error) {
      let failure: unknown = error;
      if (whole !== undefined && isRefusedMessage(error)) {
        refusal ??= error;
        failure = refusal;
        smaller = smallerResult(whole, smaller, host);
        if (smaller !== undefined) continue;
      }
      const fields = { ...errorFields(error), queue: queueUrl };
      await nextTry(failure, () => {
        inFlight.log('warn', 'sending a result failed; it is tried again while there is time', fields);
        host.onError?.(error, fields.queue);
      });
    }
  }
  if (smaller === undefined) return;
  const { bytes, dropped } = smaller;
  const fields = { bytes, dropped: dropped.join(), sqsCode: refusal?.sqsCode };
  inFlight.log('warn', 'result too large for the results queue; sent without what did not fit', fields);
}

/**
 * The message with its body in the payload store where it is large; where the store will never take it, a failed result
 * that says so.
 */
async function storedMessage<Task, Result extends AnyResult>(
  message: OutgoingMessage,
  { runId, stepId, seq }: TaskIds,
  inFlight: InFlightTask<Task, Result>,
): Promise<OutgoingMessage> {
  const { host } = inFlight;
  try {
    return await storeLargeBody(message, { kind: host.format.stored.result, runId, stepId, seq }, host.payloadStore);
  } catch (error) {
    if (!(error instanceof PayloadStoreError) || error.transient) throw error;
    const text = `the result is too large for SQS and could not be stored; the ${host.format.noun} fails`;
    inFlight.log('error', text, errorFields(error));
    const failed = host.format.failed({ runId, stepId, seq }, payloadFailure('the result could not be stored', error));
    return encodeAnswer(failed, host, MAX_MESSAGE_BYTES).message;
  }
}

/** A result without what did not fit. */
interface SmallerResult {
  readonly body: string;
  readonly dropped: readonly string[];
  readonly limitBytes: number;
  /** Of the whole result. */
  readonly bytes: number;
}

/**
 * What to send instead of a result that was refused, or undefined where nothing is left to give up.
 * @param refused what was refused last
 */
function smallerResult<Task, Result extends AnyResult>(
  { body, attributes }: OutgoingMessage,
  refused: SmallerResult | undefined,
  host: TaskHost<Task, Result>,
): SmallerResult | undefined {
  const bytes = messageBytes(body, attributes);
  const limitBytes = SMALLER_QUEUES_BYTES.find((limit) => limit < (refused?.limitBytes ?? bytes));
  if (limitBytes === undefined || decodePointer(body) !== undefined) return undefined;
  const { encoded } = encodeAnswer(host.format.reread(body), host, limitBytes);
  return { body: encoded.body, dropped: encoded.dropped, limitBytes, bytes };
}
