import { backoffMs } from '../sqs/retry.ts';
import type { ReceivedMessage } from '../sqs/sqs-api.ts';

const BACKOFF = { firstMs: 1_000, maxMs: 15 * 60_000 };
/** After hours of rejections; so the receives of a lone result last for days. */
const LATE_BACKOFF = { firstMs: 1_000, maxMs: 60 * 60_000 };
const LATE_RECEIVES = 20;

/** Seconds until a result that was not taken is delivered again. */
export function redeliverySeconds({ receiveCount }: ReceivedMessage, random: () => number): number {
  return Math.ceil(backoffMs(receiveCount, receiveCount > LATE_RECEIVES ? LATE_BACKOFF : BACKOFF, random) / 1000);
}
