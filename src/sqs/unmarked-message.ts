import { backoffMs } from './retry.ts';
import type { ReceivedMessage } from './sqs-api.ts';

/**
 * Messages without our marker attribute, on a queue that is shared with another consumer: they are left to that one.
 */

const BACKOFF = { firstMs: 1_000, maxMs: 30_000 };
const AT_ONCE_RECEIVES = 2;

export function isUnmarked({ attributeNames }: ReceivedMessage, marker: string | undefined): boolean {
  return marker !== undefined && !attributeNames.includes(marker);
}

/**
 * Seconds until such a message is visible again: none at first, so that its own consumer has it at once. A message that
 * keeps coming back shows that its consumer is away, and each further receive brings it nearer to the dead-letter
 * queue.
 */
export function unmarkedDelaySeconds({ receiveCount }: ReceivedMessage, random: () => number): number {
  return receiveCount <= AT_ONCE_RECEIVES ? 0 : Math.ceil(backoffMs(receiveCount - AT_ONCE_RECEIVES, BACKOFF, random) / 1000);
}
