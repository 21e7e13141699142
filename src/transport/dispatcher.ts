import { ConfigurationError, DispatchTimeoutError, QueueNotFoundError, SqsRequestError, TaskTooLargeError } from '../errors.ts';
import { errorFields, type Logger } from '../logger.ts';
import { retry, type Timing } from '../sqs/backoff.ts';
import type { QueueDirectory } from '../sqs/queue-directory.ts';
import type { Sender } from '../sqs/sender.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import { MAX_MESSAGE_BYTES, messageBytes } from '../wire/limits.ts';
import { encodeRemoteTask, type RemoteTask } from '../wire/remote-task.ts';

export interface DispatcherOptions {
  readonly sender: Sender;
  readonly queues: QueueDirectory;
  readonly namespace: string | undefined;
  readonly marker: string | undefined;
  readonly messageGroupId: ((task: RemoteTask) => string | undefined) | undefined;
  readonly timeoutMs: number;
  readonly logger: Logger;
  readonly timing: Timing;
}

const BACKOFF = { firstMs: 100, maxMs: 5_000 };

/**
 * Sends tasks. A rejection fails the run at once (the step's own `retries` do not apply to it), so what may pass is retried for long;
 * what never will rejects at once.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  async send(task: RemoteTask): Promise<void> {
    const { timeoutMs, timing, logger } = this.#options;
    const message = this.#message(task);
    let tries = 0;
    try {
      await retry(() => this.#sendOnce(task.group, message), {
        backoff: BACKOFF,
        timing,
        timeoutMs,
        passes: (error) => {
          tries += 1;
          const passes = error instanceof SqsRequestError && error.passing;
          if (passes)
            logger.warn('dispatch failed and is tried again', { runId: task.runId, stepId: task.stepId, tries, ...errorFields(error) });
          return passes;
        },
      });
    } catch (error) {
      if (error instanceof SqsRequestError && error.passing) throw new DispatchTimeoutError(task, timeoutMs, { cause: error });
      throw error;
    }
  }

  async #sendOnce(token: string, message: OutgoingMessage): Promise<void> {
    const { queues, sender } = this.#options;
    const queueUrl = await queues.tasksQueueUrl(token);
    try {
      await sender.send(queueUrl, message);
    } catch (error) {
      if (!(error instanceof QueueNotFoundError)) throw error;
      // Deleted since it was looked up; it may have been made anew, or autoCreate makes it. If not, this throws.
      queues.forget(queueUrl);
      await sender.send(await queues.tasksQueueUrl(token), message);
    }
  }

  #message(task: RemoteTask): OutgoingMessage {
    const { namespace, marker, messageGroupId } = this.#options;
    if (namespace !== undefined && task.group.includes('@')) {
      throw new ConfigurationError(
        `token "${task.group}" of step ${task.stepId} carries a partition, but this transport is namespaced "${namespace}". Partitions live ` +
          'under the bare prefix: give the engine a transport without namespace, or drop the partition.',
      );
    }
    const body = encodeRemoteTask(task);
    const attributes = marker === undefined ? undefined : { [marker]: '1' };
    const bytes = messageBytes(body, attributes);
    if (bytes > MAX_MESSAGE_BYTES) throw new TaskTooLargeError(task, bytes, MAX_MESSAGE_BYTES);
    const groupId = messageGroupId?.(task);
    return { body, ...(attributes === undefined ? {} : { attributes }), ...(groupId === undefined ? {} : { groupId }) };
  }
}
