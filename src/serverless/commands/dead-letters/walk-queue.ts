import type { Message } from '@aws-sdk/client-sqs';
import type { AdminSqs } from '../aws/admin-sqs.ts';

/** Long enough to look at many; short enough that what a killed command held comes back soon. */
const VISIBILITY_SECONDS = 120;
/** Time that is left for what was received last, before what was received first comes back. */
const WALK_MS = (VISIBILITY_SECONDS - 30) * 1000;

/** What came of a look at a message; `kept` gives it back. */
export type Visit = 'consumed' | 'kept';

export interface WalkOptions {
  /** Most messages to look at. */
  readonly limit: number;
  /** Milliseconds. */
  readonly now: () => number;
}

/**
 * Shows each message of a queue once, and gives back what `visit` does not say it consumed: all of it becomes visible again at once,
 * whatever happens. Each look counts as a receive of the message.
 *
 * On a FIFO queue a group is locked while one of its messages is held: only what one receive brings of a group is seen.
 * @returns true where the walk ended at its limit or its time, not at the end of the queue
 */
export async function walkQueue(
  sqs: AdminSqs,
  queueUrl: string,
  { limit, now }: WalkOptions,
  visit: (message: Message, receiptHandle: string) => Promise<Visit> | Visit,
): Promise<boolean> {
  const held = new Map<string, string>();
  const seen = new Set<string>();
  const endsAt = now() + WALK_MS;
  try {
    while (seen.size < limit) {
      if (now() > endsAt) return true;
      const messages = await sqs.receive(queueUrl, VISIBILITY_SECONDS);
      if (messages.length === 0) return false;
      for (const { MessageId: id, ReceiptHandle: handle } of messages) if (id !== undefined && handle !== undefined) held.set(id, handle);
      for (const message of messages) {
        const { MessageId: id, ReceiptHandle: handle } = message;
        if (id === undefined || handle === undefined || seen.has(id)) continue;
        if (seen.size >= limit) return true;
        seen.add(id);
        if ((await visit(message, handle)) === 'consumed') held.delete(id);
      }
    }
    return true;
  } finally {
    // A release that fails costs nothing but time: the message comes back by itself.
    await Promise.allSettled([...held.values()].map((handle) => sqs.release(queueUrl, handle)));
  }
}
