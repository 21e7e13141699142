import { isFifoQueue } from '../topology/fifo-queues.ts';
import type { ReceivedMessage } from './sqs-api.ts';

/** The order of FIFO message groups, in which messages are sent and in which received ones are handled. */

/** Runs work on one message group in the order in which it was asked for, and work on different groups side by side. */
export class MessageGroups {
  /** Group id → the end of the last work that was asked for. */
  readonly #ends = new Map<string, Promise<void>>();

  /**
   * Settles as the work does, which starts when all earlier work on any of these groups has ended. Each waits only for
   * earlier work, so none waits for ever; work that fails does not stop what comes after it.
   */
  run<T>(groupIds: readonly string[], work: () => Promise<T>): Promise<T> {
    const earlier = groupIds.flatMap((id) => this.#ends.get(id) ?? []);
    const result = earlier.length === 0 ? work() : Promise.all(earlier).then(work);
    const end = () => {
      for (const id of groupIds) if (this.#ends.get(id) === ended) this.#ends.delete(id);
    };
    const ended = result.then(end, end);
    for (const id of groupIds) this.#ends.set(id, ended);
    return result;
  }

  /** Groups with work that has not ended. */
  get size(): number {
    return this.#ends.size;
  }
}

/**
 * What became of a message: it is deleted; it is skipped, which means that SQS delivers it again and it has no place in
 * the order of its group; or SQS delivers it again, and what is behind it in its group has to wait for it.
 */
export type Disposition = 'deleted' | 'skipped' | { readonly redeliveredInSeconds: number };

/**
 * The messages of one receive, in lists that are each handled in order: one per message group of a FIFO queue, else one
 * per message.
 */
export function byMessageGroup(messages: readonly ReceivedMessage[], queueUrl: string): (readonly ReceivedMessage[])[] {
  if (!isFifoQueue(queueUrl)) return messages.map((message) => [message]);
  return [...Map.groupBy(messages, ({ groupId }) => groupId).values()];
}

/**
 * Handles the messages of one group in order, up to the first that SQS is to deliver again. The messages behind that
 * one are released unhandled, after the same time: SQS keeps a group shut while its first message is hidden, so they
 * come again in their order.
 *
 * A skipped message does not stop its group: the messages behind it would be received as often as it is, and become
 * dead letters with it.
 */
export async function handleInOrder(
  messages: readonly ReceivedMessage[],
  handle: (message: ReceivedMessage) => Promise<Disposition>,
  release: (message: ReceivedMessage, delaySeconds: number) => Promise<void>,
): Promise<void> {
  for (const [index, message] of messages.entries()) {
    const disposition = await handle(message);
    if (disposition === 'deleted' || disposition === 'skipped') continue;
    await Promise.all(messages.slice(index + 1).map((follower) => release(follower, disposition.redeliveredInSeconds)));
    return;
  }
}
