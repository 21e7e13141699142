import type { GroupHealth } from '@dudousxd/nestjs-durable-core';
import { QueueNotFoundError } from '../errors.ts';
import { errorFields, type Logger } from '../logger.ts';
import type { QueueDirectory } from '../sqs/queue-directory.ts';
import type { SqsApi } from '../sqs/sqs-api.ts';

const DEPTH_ATTRIBUTES = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
] as const;

/**
 * What the engine is told of a tasks queue: its depth, and one worker that stands for Lambda, because an empty list
 * would show as "nobody consumes". No depth and no worker where there is no such queue.
 *
 * Never rejects: the engine asks every transport for every group, and one that rejects is the end of its report.
 */
export class QueueHealth {
  readonly #queues: QueueDirectory;
  readonly #api: Pick<SqsApi, 'queueAttributes'>;
  readonly #logger: Logger;
  /** By group, what was known last. */
  readonly #known = new Map<string, GroupHealth>();
  /** Groups of which nothing is known at present, and a log line has said so. */
  readonly #unknown = new Set<string>();

  constructor(queues: QueueDirectory, api: Pick<SqsApi, 'queueAttributes'>, logger: Logger) {
    this.#queues = queues;
    this.#api = api;
    this.#logger = logger;
  }

  async of(group: string): Promise<GroupHealth> {
    try {
      const health = await this.#ask(group);
      this.#known.set(group, health);
      this.#unknown.delete(group);
      return health;
    } catch (error) {
      if (!this.#unknown.has(group)) this.#logger.warn('the depth of a tasks queue is not known', { group, ...errorFields(error) });
      this.#unknown.add(group);
      return this.#known.get(group) ?? { group, depth: 0, liveWorkers: [] };
    }
  }

  async #ask(group: string): Promise<GroupHealth> {
    const queueUrl = await this.#queues.findTasksQueueUrl(group);
    const depth = queueUrl === undefined ? undefined : await this.#depthOf(queueUrl);
    if (depth === undefined) return { group, depth: 0, liveWorkers: [] };
    return { group, depth, liveWorkers: [{ group, instanceId: 'aws-lambda', lastBeatAt: Date.now() }] };
  }

  async #depthOf(queueUrl: string): Promise<number | undefined> {
    try {
      const attributes = await this.#api.queueAttributes(queueUrl, DEPTH_ATTRIBUTES);
      return Object.values(attributes).reduce((sum, count) => sum + Number(count), 0);
    } catch (error) {
      if (!(error instanceof QueueNotFoundError)) throw error;
      // Deleted since it was looked up: the next look finds the one that was made anew.
      this.#queues.forget(queueUrl);
      return undefined;
    }
  }
}
