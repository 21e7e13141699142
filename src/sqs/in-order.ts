import { isFifoQueue } from '../topology/fifo-queues.ts';
import type { ReceivedMessage } from './sqs-api.ts';

/** What became of a message: it is done with; it is none of ours and has no place in the order; or SQS delivers it again. */
export type Fate = 'acknowledged' | 'left alone' | { readonly againInSeconds: number };

/** What one receive brought, as lines of which each is to be handled in order: by group on a FIFO queue, else every message for itself. */
export function linesOf(messages: readonly ReceivedMessage[], queueUrl: string): (readonly ReceivedMessage[])[] {
  if (!isFifoQueue(queueUrl)) return messages.map((message) => [message]);
  return [...Map.groupBy(messages, ({ groupId }) => groupId).values()];
}

/**
 * Handles a line in order and stops at the first message that is to be delivered again: what is behind it goes back unseen, for the same
 * time. SQS keeps a group shut while its first message is hidden, so the line comes again in its order.
 *
 * Not at one that is left alone: what is behind it would be received as often, and become a dead letter together with it.
 */
export async function handleLine(
  line: readonly ReceivedMessage[],
  handle: (message: ReceivedMessage) => Promise<Fate>,
  giveBack: (message: ReceivedMessage, delaySeconds: number) => Promise<void>,
): Promise<void> {
  for (const [index, message] of line.entries()) {
    const fate = await handle(message);
    if (fate === 'acknowledged' || fate === 'left alone') continue;
    await Promise.all(line.slice(index + 1).map((follower) => giveBack(follower, fate.againInSeconds)));
    return;
  }
}
