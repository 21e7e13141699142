/** What doctor knows of a service, from a packaged template or from AWS. Rules read this and nothing else. Durations in seconds. */
export interface Facts {
  readonly source: 'template' | 'live';
  readonly queues: readonly QueueFacts[];
  readonly functions: readonly FunctionFacts[];
  readonly mappings: readonly MappingFacts[];
  /** Ids of queues that an alarm watches; undefined where that is not known. */
  readonly watchedQueues: ReadonlySet<string> | undefined;
  /** Only queues whose names begin with it are ours; undefined: every queue with one of our names is. */
  readonly prefix?: string | undefined;
}

export interface QueueFacts {
  /** Logical id in a template, ARN on AWS. */
  readonly id: string;
  /** Undefined where the template leaves it to CloudFormation. */
  readonly name: string | undefined;
  readonly visibilityTimeoutSeconds: number;
  readonly retentionSeconds: number;
  readonly redrive: { readonly to: string | undefined; readonly maxReceiveCount: number | undefined } | undefined;
  /** Messages it holds; undefined in a template. */
  readonly messages: number | undefined;
}

export interface FunctionFacts {
  readonly id: string;
  readonly name: string;
  readonly runtime: string | undefined;
  readonly timeoutSeconds: number;
  readonly reservedConcurrency: number | undefined;
  /** `DURABLE_PREFIX`, where it is a plain text. */
  readonly prefix: string | undefined;
}

export interface MappingFacts {
  readonly id: string;
  /** Id of its queue; what stands there instead where the queue is another stack's. */
  readonly queueId: string;
  readonly functionId: string | undefined;
  readonly batchSize: number;
  readonly batchWindowSeconds: number;
  readonly maximumConcurrency: number | undefined;
  readonly reportsItemFailures: boolean;
  readonly enabled: boolean;
  readonly filters: boolean;
}

export interface Finding {
  /** Stable, for scripts. */
  readonly id: string;
  readonly severity: 'error' | 'warning';
  readonly where: string;
  readonly why: string;
  readonly fix: string;
}

export type Rule = (facts: Facts) => Finding[];

export type QueueKind = 'tasks' | 'dead-letters' | 'parked' | 'results' | 'results-dead-letters';

/** Kind of a queue by its name: no prefix holds one of these words, so the first is the right one. */
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
 * Kind of a queue: by its name. Where no queue has one of our names (a template by hand may leave them to CloudFormation), one that another
 * redrives to holds dead letters, and one that is mapped holds tasks; else a queue of another name is none of ours.
 */
export function kindOfQueue({ queues, mappings, prefix }: Facts, queue: QueueFacts): QueueKind | undefined {
  const byName = queue.name === undefined ? undefined : kindOfName(queue.name, prefix);
  if (byName !== undefined || queues.some(({ name }) => name !== undefined && kindOfName(name) !== undefined)) return byName;
  if (queues.some(({ redrive }) => redrive?.to === queue.id)) return 'dead-letters';
  return mappings.some(({ queueId }) => queueId === queue.id) ? 'tasks' : undefined;
}

/** Mappings of tasks and dead-letter queues, with their queue and function where these are known. */
export function durableMappings(facts: Facts) {
  return facts.mappings.flatMap((mapping) => {
    const queue = facts.queues.find(({ id }) => id === mapping.queueId);
    const fn = facts.functions.find(({ id }) => id === mapping.functionId);
    const kind = queue === undefined ? kindOfName(mapping.queueId.split(':').at(-1) ?? '', facts.prefix) : kindOfQueue(facts, queue);
    return kind === 'tasks' || kind === 'dead-letters' ? [{ mapping, queue, fn, kind }] : [];
  });
}

/** How a queue is called in a finding. */
export function label(facts: Facts, queue: QueueFacts): string {
  const name = queue.name ?? queue.id;
  return `${facts.source}: ${facts.source === 'template' && name !== queue.id ? `${queue.id} (${name})` : name}`;
}
