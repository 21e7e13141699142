import type { Message } from '@aws-sdk/client-sqs';
import type { AdminSqs } from '../aws/admin-sqs.ts';

/** Long enough to receive many messages; short enough that those held by a killed command are visible again soon. */
const VISIBILITY_SECONDS = 120;
/** Stop receiving so long before the first message would become visible again: the last ones need time, too. */
const WALK_MS = (VISIBILITY_SECONDS - 30) * 1000;

/** What the visitor did with a message. `kept`: it becomes visible again. */
export type Visit = 'consumed' | 'kept';

export interface WalkOptions {
  /** Most messages to visit. */
  readonly limit: number;
  /** Milliseconds. */
  readonly now: () => number;
}

/**
 * Receives each message of a queue once and calls `visit` with it. All messages that were not consumed become visible
 * again when the walk ends, also where it throws. Each message's receive count grows by one.
 *
 * On a FIFO queue SQS gives no message of a group while another one of it is in flight: of each group, only what one
 * receive brings is visited.
 * @returns true where the walk stopped at its limit or its time, not at the end of the queue
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
    // A release that fails only delays the message: SQS makes it visible when its visibility timeout ends.
    await Promise.allSettled([...held.values()].map((handle) => sqs.release(queueUrl, handle)));
  }
}
