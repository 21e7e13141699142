import { SqsRequestError } from '../errors.ts';
import type { LogFields } from '../logger.ts';
import { decodePointer } from '../payloads/pointer.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import { messageBytes } from '../wire/limits.ts';
import { decodeStepResult } from '../wire/step-result.ts';
import { encodeResult } from './encode-result.ts';

/**
 * What a queue may take where it takes less than SQS: the default of queues made before August 2025, and the least a queue can be set to.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html `MaximumMessageSize`
 */
const SMALLER_QUEUES_BYTES = [262_144, 1_024];
/** Of an entry and of a request. SQS refuses a message by them that is too long, and by some for other reasons too. */
const CODES: ReadonlySet<string> = new Set([
  'BatchRequestTooLong',
  'InvalidMessageContents',
  'InvalidParameterValue',
  'InvalidParameterValueException',
]);

/**
 * Sends a result; where its queue takes less than SQS does, what fits there. The limit is the queue's own and not known here; left at the
 * refusal, the step would run as often as its tasks queue allows.
 * @returns what to log where something was given up
 * @throws what `send` throws, of the whole result where nothing smaller is accepted either
 */
export async function sendFitting(
  message: OutgoingMessage,
  send: (sent: OutgoingMessage) => Promise<void>,
): Promise<LogFields | undefined> {
  try {
    await send(message);
    return undefined;
  } catch (error) {
    if (!isForMessage(error) || decodePointer(message.body) !== undefined) throw error;
    const bytes = messageBytes(message.body, message.attributes);
    for (const limitBytes of SMALLER_QUEUES_BYTES.filter((limit) => limit < bytes)) {
      const { body, dropped } = encodeResult(decodeStepResult(message.body), message.attributes, limitBytes);
      if (await isTaken(() => send({ ...message, body }))) return { bytes, dropped: dropped.join(','), sqsCode: error.sqsCode };
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
    if (isForMessage(error)) return false;
    throw error;
  }
}

/** Whether SQS refused the message for what it is, and not who sent it: its size, most likely. */
export function isForMessage(error: unknown): error is SqsRequestError {
  return error instanceof SqsRequestError && !error.transient && CODES.has(error.sqsCode);
}
