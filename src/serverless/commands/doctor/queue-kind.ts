import { kindOfQueueName, type QueueKind } from '../../../topology/queue-kinds.ts';
import type { Facts, FunctionFacts, MappingFacts, QueueFacts } from './facts.ts';

/**
 * Kind of a queue: by its name. Where no queue of the facts has such a name (a hand-written template may leave names to
 * CloudFormation), the target of a redrive policy holds dead letters and a queue with a mapping holds tasks. Undefined:
 * not a queue of durable steps.
 */
export function kindOfQueue({ queues, mappings, prefix }: Facts, queue: QueueFacts): QueueKind | undefined {
  const byName = queue.name === undefined ? undefined : kindOfQueueName(queue.name, prefix);
  if (byName !== undefined || queues.some(({ name }) => name !== undefined && kindOfQueueName(name) !== undefined)) return byName;
  if (queues.some(({ redrive }) => redrive?.to === queue.id)) return 'dead-letters';
  return mappings.some(({ queueId }) => queueId === queue.id) ? 'tasks' : undefined;
}

/** Kinds of queues that functions read. */
const MAPPED_KINDS = ['tasks', 'dead-letters', 'results', 'start-run', 'wake-ups'] as const satisfies readonly QueueKind[];
export type MappedKind = (typeof MAPPED_KINDS)[number];

/** A mapping of such a queue, with its queue and function where the facts have these. */
export interface DurableMapping {
  readonly mapping: MappingFacts;
  readonly kind: MappedKind;
  readonly queue: QueueFacts | undefined;
  readonly fn: FunctionFacts | undefined;
}

export function durableMappings(facts: Facts): DurableMapping[] {
  return facts.mappings.flatMap((mapping) => {
    const queue = facts.queues.find(({ id }) => id === mapping.queueId);
    const fn = facts.functions.find(({ id }) => id === mapping.functionId);
    const found = queue === undefined ? kindOfQueueName(mapping.queueId.split(':').at(-1) ?? '', facts.prefix) : kindOfQueue(facts, queue);
    const kind = MAPPED_KINDS.find((mapped) => mapped === found);
    return kind === undefined ? [] : [{ mapping, kind, queue, fn }];
  });
}
