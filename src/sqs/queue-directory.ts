import { ConfigurationError, QueueNotFoundError } from '../errors.ts';
import { aUrl } from '../options.ts';
import type { FifoQueues } from '../topology/fifo-queues.ts';
import { type PlannedQueue, type QueueChain, serviceQueues, stepQueues } from '../topology/planned-queues.ts';
import { createQueueAttributes } from '../topology/queue-attributes.ts';
import { type QueueNameOptions, resultsQueueName, startRunQueueName, tasksQueueName } from '../topology/queue-names.ts';
import { advisedVisibilitySeconds } from '../topology/visibility.ts';
import { kindOf } from '../wire/json.ts';
import { type PrefixSource, whyMissing } from './missing-queue.ts';
import type { SqsApi } from './sqs-api.ts';

/** Where queues come from: URLs that were given, or names that are looked up and, with `autoCreate`, created. */
export interface QueueDirectoryOptions {
  readonly api: Pick<SqsApi, 'findQueueUrl' | 'createQueue' | 'queueAttributes' | 'region'>;
  /** With the namespace folded in. */
  readonly prefix: string;
  /** For the message about a queue that is missing. @default 'option' */
  readonly prefixSource?: PrefixSource | undefined;
  readonly autoCreate: boolean;
  /** The longest a step takes; the visibility of a created tasks queue follows from it. */
  readonly stepTimeoutSeconds: number;
  /** Which of the queues that go by name are FIFO for certain. The others are looked up by both names. @default none */
  readonly fifo?: FifoQueues | undefined;
  /** Names of the queues that are there, where they may be listed: for that message. @default not known */
  readonly queueNames?: (() => Promise<readonly string[] | undefined>) | undefined;
  readonly taskQueueUrl?: string | ((token: string) => string | Promise<string>) | undefined;
  readonly resultsQueueUrl?: string | (() => string | Promise<string>) | undefined;
}

/**
 * Finds the URL of a queue once and keeps it. Callers that ask at the same time share one look-up; a failed look-up is
 * forgotten, so the next call tries again.
 */
export class QueueDirectory {
  readonly #options: QueueDirectoryOptions;
  readonly #lookUps = new Map<string, LookUp>();

  constructor(options: QueueDirectoryOptions) {
    this.#options = options;
  }

  tasksQueueUrl(token: string): Promise<string> {
    const { taskQueueUrl } = this.#options;
    if (typeof taskQueueUrl === 'string') return Promise.resolve(taskQueueUrl);
    return this.#once(tasksKey(token), async () =>
      taskQueueUrl ? checkedUrl(`taskQueueUrl("${token}")`, await taskQueueUrl(token)) : this.#tasksByName(token),
    );
  }

  /** What {@link tasksQueueUrl} would give, where it needs no waiting. */
  knownTasksQueueUrl(token: string): string | undefined {
    const { taskQueueUrl } = this.#options;
    return typeof taskQueueUrl === 'string' ? taskQueueUrl : this.#lookUps.get(tasksKey(token))?.found;
  }

  /** As {@link tasksQueueUrl}, but never creates the queue: undefined where there is none of its name. */
  async findTasksQueueUrl(token: string): Promise<string | undefined> {
    const { prefix, taskQueueUrl, fifo } = this.#options;
    if (taskQueueUrl === undefined && this.#lookUps.get(tasksKey(token))?.found === undefined) {
      const found = await this.#find((options) => tasksQueueName(token, prefix, options), fifo?.tasks);
      if (found === undefined) return undefined;
    }
    return this.tasksQueueUrl(token);
  }

  /**
   * Whether a tasks queue that is missing is on its way into being: a queue may be unknown to SQS for a second after
   * its creation.
   */
  get createsTasksQueues(): boolean {
    return this.#options.autoCreate && this.#options.taskQueueUrl === undefined;
  }

  resultsQueueUrl(): Promise<string> {
    const { resultsQueueUrl } = this.#options;
    if (typeof resultsQueueUrl === 'string') return Promise.resolve(resultsQueueUrl);
    return this.#once('results', async () =>
      resultsQueueUrl ? checkedUrl('resultsQueueUrl()', await resultsQueueUrl()) : this.#resultsByName(),
    );
  }

  startRunQueueUrl(): Promise<string> {
    const { prefix } = this.#options;
    return this.#once('start-run', () =>
      this.#byName(() => startRunQueueName(prefix), serviceQueues('start-run', { prefix, fifo: false })),
    );
  }

  /** Forgets a URL that turned out to lead nowhere, so that a queue made anew is found. */
  forget(queueUrl: string): void {
    for (const [key, lookUp] of this.#lookUps) if (lookUp.found === queueUrl) this.#lookUps.delete(key);
  }

  async #once(key: string, resolve: () => Promise<string>): Promise<string> {
    const known = this.#lookUps.get(key);
    if (known !== undefined) return known.url;
    const lookUp: LookUp = { url: resolve() };
    this.#lookUps.set(key, lookUp);
    try {
      lookUp.found = await lookUp.url;
      return lookUp.found;
    } catch (error) {
      if (this.#lookUps.get(key) === lookUp) this.#lookUps.delete(key);
      throw error;
    }
  }

  #tasksByName(token: string): Promise<string> {
    const { prefix, stepTimeoutSeconds, fifo: { tasks: fifo } = NO_FIFO } = this.#options;
    const visibilityTimeoutSeconds = advisedVisibilitySeconds(stepTimeoutSeconds);
    const name = (options: QueueNameOptions) => tasksQueueName(token, prefix, options);
    return this.#byName(name, stepQueues(token, { prefix, fifo, visibilityTimeoutSeconds }));
  }

  #resultsByName(): Promise<string> {
    const { prefix, fifo: { results: fifo } = NO_FIFO } = this.#options;
    return this.#byName((options) => resultsQueueName(prefix, options), serviceQueues('results', { prefix, fifo }));
  }

  /** @param chain the queue as it is created where there is none */
  async #byName(name: NameOf, { queue, targets }: QueueChain): Promise<string> {
    const { api, autoCreate } = this.#options;
    const found = await this.#find(name, queue.fifo);
    if (found !== undefined) return found;
    if (!autoCreate) throw await this.#notFound(queue);
    let redriveTo: string | undefined;
    for (const target of targets) redriveTo = await this.#redriveTarget(target, redriveTo);
    return api.createQueue(queue.name, createQueueAttributes(queue, redriveTo));
  }

  /** The queue of that name, else the FIFO queue of that name: what is found decides which of the two it is. */
  async #find(name: NameOf, fifo: boolean | undefined): Promise<string | undefined> {
    const { api } = this.#options;
    const [standard, ofFifo] = [name({ fifo: false }), name({ fifo: true })];
    const found = fifo === true ? undefined : await api.findQueueUrl(standard);
    return found ?? (fifo !== true && standard === ofFifo ? undefined : api.findQueueUrl(ofFifo));
  }

  async #notFound({ name, kind }: PlannedQueue): Promise<QueueNotFoundError> {
    const { api, prefix, prefixSource = 'option', queueNames } = this.#options;
    // The look-up failed, and this one is for a message only.
    const results =
      kind === 'results' ? undefined : await this.#find((options) => resultsQueueName(prefix, options), false).catch(() => undefined);
    const there = await queueNames?.();
    const why = whyMissing({ name, prefix, prefixSource, prefixIsThere: results !== undefined, there });
    return new QueueNotFoundError(name, await api.region(), { why });
  }

  /** Finds or creates a queue that another redrives to; gives its ARN. */
  async #redriveTarget(queue: PlannedQueue, redriveTo: string | undefined): Promise<string> {
    const { api } = this.#options;
    const { name } = queue;
    const url = (await api.findQueueUrl(name)) ?? (await api.createQueue(name, createQueueAttributes(queue, redriveTo)));
    const { QueueArn } = await api.queueAttributes(url, ['QueueArn']);
    if (QueueArn === undefined) throw new QueueNotFoundError(name, await api.region());
    return QueueArn;
  }
}

function tasksKey(token: string): string {
  return `tasks ${token}`;
}

/**
 * What a resolver gave. Where it is, say, an environment variable that is not set, the call of SQS would fail with
 * other words.
 */
function checkedUrl(resolver: string, url: unknown): string {
  if (aUrl.accepts(url)) return String(url);
  const got = typeof url === 'string' && url !== '' ? JSON.stringify(url) : kindOf(url);
  throw new ConfigurationError(`expected ${resolver} to give ${aUrl.expected}, got ${got}`);
}

type NameOf = (options: QueueNameOptions) => string;

const NO_FIFO: FifoQueues = { tasks: false, results: false };

interface LookUp {
  /** Shared by all who ask meanwhile and later. */
  readonly url: Promise<string>;
  /** What it gave. */
  found?: string;
}
