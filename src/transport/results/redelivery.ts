import type { InFlightMessages } from '../../sqs/in-flight-messages.ts';
import type { Disposition } from '../../sqs/message-groups.ts';
import { backoffMs } from '../../sqs/retry.ts';
import type { ReceivedMessage } from '../../sqs/sqs-api.ts';
import { isFifoQueue } from '../../topology/fifo-queues.ts';

/** What becomes of a result's message that is not deleted. */

const BACKOFF = { firstMs: 1_000, maxMs: 15 * 60_000 };
/** After hours of rejections. So the receives of a lone result last for days. */
const LATE_BACKOFF = { firstMs: 1_000, maxMs: 60 * 60_000 };
const LATE_RECEIVES = 20;
/** A body that is no result never will be one. On a FIFO queue it shuts its run's message group, so its receives are used up soon. */
const DEAD_ON_FIFO_SECONDS = 1;

/** Seconds until a result that was rejected is redelivered. */
export function redeliverySeconds({ receiveCount }: ReceivedMessage, random: () => number): number {
  return Math.ceil(backoffMs(receiveCount, receiveCount > LATE_RECEIVES ? LATE_BACKOFF : BACKOFF, random) / 1000);
}

export async function redeliver(message: ReceivedMessage, inFlight: InFlightMessages, delaySeconds: number): Promise<Disposition> {
  await inFlight.release(message.receiptHandle, delaySeconds);
  return { redeliveredInSeconds: delaySeconds };
}

/** It is redelivered, and holds up nothing of its group meanwhile. */
export async function skip(message: ReceivedMessage, inFlight: InFlightMessages, delaySeconds: number): Promise<Disposition> {
  await inFlight.release(message.receiptHandle, delaySeconds);
  return 'skipped';
}

/** It is redelivered until its receives are used up and SQS moves it to the dead-letter queue. */
export async function leaveForDeadLetters(message: ReceivedMessage, inFlight: InFlightMessages): Promise<Disposition> {
  if (isFifoQueue(inFlight.queueUrl)) return skip(message, inFlight, DEAD_ON_FIFO_SECONDS);
  inFlight.letExpire(message.receiptHandle);
  return 'skipped';
}
