import type { HeldMessages } from '../../sqs/in-flight-messages.ts';
import { backoffMs } from '../../sqs/retry.ts';
import type { ReceivedMessage } from '../../sqs/sqs-api.ts';
import type { StartOutcome } from './message-starts.ts';

/** Twenty receives take an hour: see the start queue's `maxReceiveCount`. */
const REFUSED_BACKOFF = { firstMs: 1_000, maxMs: 5 * 60_000 };

/**
 * Tells SQS what became of a start: its message is deleted, left for the dead-letter queue, or comes again later each
 * time.
 */
export async function settleStart(
  outcome: StartOutcome,
  { receiptHandle, receiveCount }: ReceivedMessage,
  held: HeldMessages,
  random: () => number,
): Promise<void> {
  switch (outcome) {
    case 'started':
      return held.delete(receiptHandle);
    case 'unreadable':
      return held.letExpire(receiptHandle);
    case 'refused':
      return held.release(receiptHandle, Math.ceil(backoffMs(receiveCount, REFUSED_BACKOFF, random) / 1000));
  }
}
