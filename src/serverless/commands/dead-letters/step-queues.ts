import type { Message } from '@aws-sdk/client-sqs';
import type { DurableStep } from '../../durable-service.ts';
import type { AdminSqs } from '../aws/admin-sqs.ts';
import { type Depth, lookAt } from '../aws/queue-depth.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { textOption } from '../options.ts';
import { type Visit, walkQueue } from './walk-queue.ts';

/** Where the dead letters of one step are. */
export interface Place {
  readonly step: DurableStep;
  readonly tasksUrl: string;
  readonly deadLetters: PlaceQueue;
  readonly parked: PlaceQueue;
}

export interface PlaceQueue {
  readonly kind: 'dead-letters' | 'parked';
  readonly name: string;
  readonly url: string;
  readonly depth: Depth;
}

/** Which messages a command is about. */
export interface Selection {
  readonly places: readonly Place[];
  /** One message only. */
  readonly messageId: string | undefined;
  /** Most messages to look at per queue. */
  readonly limit: number;
  /**
   * Whether to receive from the dead-letter queues too. Each look uses up one of the ten receives that their redrive policy gives the
   * dead-letter handler; parked queues have no redrive policy, so looking at them costs nothing.
   */
  readonly includeDeadLetters: boolean;
}

/** @throws CommandError where a queue does not exist */
export async function deadLetterPlaces(sqs: AdminSqs, steps: readonly DurableStep[]): Promise<Place[]> {
  const queue = async (kind: PlaceQueue['kind'], name: string): Promise<PlaceQueue> => {
    const found = await lookAt(sqs, name);
    if (found === undefined) throw missing(name);
    return { kind, name, ...found };
  };
  return Promise.all(
    steps.map(async (step) => {
      const [tasksUrl, deadLetters, parked] = await Promise.all([
        sqs.findQueueUrl(step.queues.tasks),
        queue('dead-letters', step.queues.deadLetters),
        queue('parked', step.queues.parked),
      ]);
      if (tasksUrl === undefined) throw missing(step.queues.tasks);
      return { step, tasksUrl, deadLetters, parked };
    }),
  );
}

function missing(name: string): CommandError {
  return new CommandError(`queue "${name}" does not exist: deploy the service first (or is it another --stage or --region?)`);
}

/** One message of a selection, and where it was found. */
export interface Visited {
  readonly message: Message;
  readonly receiptHandle: string;
  readonly place: Place;
  readonly queue: PlaceQueue;
}

/**
 * Shows every selected message; gives the queues that were not seen to their end. What `visit` keeps is given back, and on a FIFO queue
 * hides what stands behind it in its group until then.
 */
export async function visitDeadLetters(
  context: CommandContext,
  sqs: AdminSqs,
  { places, messageId, limit, includeDeadLetters }: Selection,
  visit: (found: Visited) => Promise<Visit> | Visit,
): Promise<string[]> {
  const unfinished: string[] = [];
  for (const place of places) {
    for (const queue of [...(includeDeadLetters ? [place.deadLetters] : []), place.parked]) {
      if (queue.depth.visible === 0 && queue.depth.inFlight === 0) continue;
      let seen = 0;
      let kept = 0;
      const cut = await walkQueue(sqs, queue.url, { limit, now: context.now }, async (message, receiptHandle) => {
        const selected = messageId === undefined || message.MessageId === messageId;
        const outcome = selected ? await visit({ message, receiptHandle, place, queue }) : 'kept';
        seen += 1;
        if (outcome === 'kept') kept += 1;
        return outcome;
      });
      const locked = messageId === undefined && isFifo(queue.name) && kept > 0 && seen < queue.depth.visible;
      if (cut || locked) unfinished.push(queue.name);
    }
  }
  return unfinished;
}

/** Tells of the queues that were not seen to their end; exits 1 unless `--limit` asked for just that. */
export function tellUnfinished(context: CommandContext, unfinished: readonly string[]): void {
  for (const name of unfinished) context.writeError(`${name} holds more than was looked at: ${howToSeeMore(name, 'run it again')}.\n`);
  if (unfinished.length > 0 && textOption(context.options, 'limit') === undefined) context.setExitCode(1);
}

/** What to tell somebody whose selection brought nothing; undefined where that is as it should be. */
export function nothingFound({ messageId, includeDeadLetters }: Selection): string | undefined {
  if (messageId === undefined) return undefined;
  const hint = includeDeadLetters ? '' : ' Only parked queues were looked at; --include-dead-letters looks at the others too.';
  return `no message ${messageId} that is visible now.${hint}`;
}

/** How to get at what a command has not seen of a queue. */
export function howToSeeMore(queueName: string, standard: string): string {
  return isFifo(queueName) ? 'a FIFO queue shows only the first messages of a group, until they are retried or deleted' : standard;
}

function isFifo(queueName: string): boolean {
  return queueName.endsWith('.fifo');
}
