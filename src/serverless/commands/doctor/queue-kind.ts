import type { Facts, FunctionFacts, MappingFacts, QueueFacts } from './facts.ts';

export type QueueKind = 'tasks' | 'dead-letters' | 'parked' | 'results' | 'results-dead-letters';

/** Kind of a queue by its name: a prefix never contains one of these words, so the first in the name tells. */
export function kindOfName(name: string, prefix?: string): QueueKind | undefined {
  if (prefix !== undefined && !name.startsWith(`${prefix}-`)) return undefined;
  const found = /-(tasks-|dead-letters-|parked-|results-dead-letters(?:\.fifo)?$|results(?:\.fifo)?$)/.exec(name)?.[1];
  switch (found?.replace(/-$|\.fifo$/g, '')) {
    case 'tasks':
      return 'tasks';
    case 'dead-letters':
      return 'dead-letters';
    case 'parked':
      return 'parked';
    case 'results':
      return 'results';
    case 'results-dead-letters':
      return 'results-dead-letters';
    default:
      return undefined;
  }
}

/**
 * Kind of a queue: by its name. Where no queue of the facts has such a name (a hand-written template may leave names to CloudFormation), the
 * target of a redrive policy holds dead letters and a queue with a mapping holds tasks. Undefined: not a queue of durable steps.
 */
export function kindOfQueue({ queues, mappings, prefix }: Facts, queue: QueueFacts): QueueKind | undefined {
  const byName = queue.name === undefined ? undefined : kindOfName(queue.name, prefix);
  if (byName !== undefined || queues.some(({ name }) => name !== undefined && kindOfName(name) !== undefined)) return byName;
  if (queues.some(({ redrive }) => redrive?.to === queue.id)) return 'dead-letters';
  return mappings.some(({ queueId }) => queueId === queue.id) ? 'tasks' : undefined;
}

/** A mapping of a tasks or dead-letter queue, with its queue and function where the facts have these. */
export interface DurableMapping {
  readonly mapping: MappingFacts;
  readonly kind: 'tasks' | 'dead-letters';
  readonly queue: QueueFacts | undefined;
  readonly fn: FunctionFacts | undefined;
}

export function durableMappings(facts: Facts): DurableMapping[] {
  return facts.mappings.flatMap((mapping) => {
    const queue = facts.queues.find(({ id }) => id === mapping.queueId);
    const fn = facts.functions.find(({ id }) => id === mapping.functionId);
    const kind = queue === undefined ? kindOfName(mapping.queueId.split(':').at(-1) ?? '', facts.prefix) : kindOfQueue(facts, queue);
    return kind === 'tasks' || kind === 'dead-letters' ? [{ mapping, kind, queue, fn }] : [];
  });
}
