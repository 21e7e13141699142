import { backoffMs } from './retry.ts';
import type { ReceivedMessage } from './sqs-api.ts';

const FOREIGN_BACKOFF = { firstMs: 1_000, maxMs: 30_000 };

/** Whether a message on a shared queue is the other consumer's. */
export function isForeign({ attributeNames }: ReceivedMessage, marker: string | undefined): boolean {
  return marker !== undefined && !attributeNames.includes(marker);
}

/**
 * How long to leave it alone: at first not at all, so that its own consumer has it at once. If it comes back to us all the same that
 * consumer is away, and each receive brings the message nearer to the dead-letter queue.
 */
export function foreignDelaySeconds({ receiveCount }: ReceivedMessage, random: () => number): number {
  return receiveCount < 3 ? 0 : Math.ceil(backoffMs(receiveCount - 2, FOREIGN_BACKOFF, random) / 1000);
}
