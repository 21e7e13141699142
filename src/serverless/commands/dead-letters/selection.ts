import type { Message } from '@aws-sdk/client-sqs';
import { isFifoQueue } from '../../../topology/fifo-queues.ts';
import type { AdminSqs } from '../aws/admin-sqs.ts';
import type { CommandContext } from '../context.ts';
import { textOption } from '../options.ts';
import type { DeadLetterQueue, DeadLetterQueues } from './queues.ts';
import { type Visit, walkQueue } from './walk-queue.ts';

/** The messages that a command is about. */
export interface Selection {
  readonly steps: readonly DeadLetterQueues[];
  /** Only the message of this id; undefined: all. */
  readonly messageId: string | undefined;
  /** Most messages to receive from each queue. */
  readonly limit: number;
  /**
   * Whether to receive from the dead-letter queues too. Each receive there counts towards the ten after which SQS parks
   * the message without its handler; parked queues have no redrive policy, so receiving from them costs nothing.
   */
  readonly includeDeadLetters: boolean;
}

/** One message of a selection, and the queue that holds it. */
export interface Selected {
  readonly message: Message;
  readonly receiptHandle: string;
  readonly queues: DeadLetterQueues;
  readonly queue: DeadLetterQueue;
}

/**
 * Calls `visit` with every selected message. Messages that it keeps become visible again at the end; until then SQS
 * gives nobody the messages behind them in their FIFO groups.
 * @returns names of the queues that hold messages which were not received
 */
export async function visitSelected(
  context: CommandContext,
  sqs: AdminSqs,
  { steps, messageId, limit, includeDeadLetters }: Selection,
  visit: (selected: Selected) => Promise<Visit> | Visit,
): Promise<string[]> {
  const unfinished: string[] = [];
  for (const step of steps) {
    for (const queue of queuesOf(step, includeDeadLetters)) {
      if (queue.depth.visible === 0 && queue.depth.inFlight === 0) continue;
      let seen = 0;
      let kept = 0;
      const cut = await walkQueue(sqs, queue.url, { limit, now: context.now }, async (message, receiptHandle) => {
        const selected = messageId === undefined || message.MessageId === messageId;
        const outcome = selected ? await visit({ message, receiptHandle, queues: step, queue }) : 'kept';
        seen += 1;
        if (outcome === 'kept') kept += 1;
        return outcome;
      });
      const behindKept = messageId === undefined && isFifoQueue(queue.name) && kept > 0 && seen < queue.depth.visible;
      if (cut || behindKept) unfinished.push(queue.name);
    }
  }
  return unfinished;
}

/** The queues of a step that are received from. */
export function queuesOf({ deadLetters, parked }: DeadLetterQueues, includeDeadLetters: boolean): readonly DeadLetterQueue[] {
  return includeDeadLetters && deadLetters !== undefined ? [deadLetters, parked] : [parked];
}

/** Reports queues that hold messages which were not received; exits 1 unless `--limit` asked for that. */
export function reportUnfinished(context: CommandContext, unfinished: readonly string[]): void {
  for (const name of unfinished) {
    context.writeError(`${name} holds more messages than were received: ${howToSeeMore(name, 'run the command again')}.\n`);
  }
  if (unfinished.length > 0 && textOption(context.options, 'limit') === undefined) context.setExitCode(1);
}

/** What to tell a user whose `--id` was not found; undefined where no id was given. */
export function idNotFound({ messageId, includeDeadLetters }: Selection): string | undefined {
  if (messageId === undefined) return undefined;
  const hint = includeDeadLetters ? '' : ' Only parked queues were searched; --include-dead-letters searches the others too.';
  return `no message ${messageId} is visible now.${hint}`;
}

/**
 * How to reach the messages of a queue that were not received.
 * @param standard the remedy for a queue that is not FIFO
 */
export function howToSeeMore(queueName: string, standard: string): string {
  return isFifoQueue(queueName) ? 'a FIFO queue gives the first messages of a group only, until these are retried or deleted' : standard;
}
