import { randomUUID } from 'node:crypto';
import {
  ConfigurationError,
  DispatchTimeoutError,
  PayloadStoreError,
  QueueNotFoundError,
  SqsRequestError,
  TaskTooLargeError,
} from '../errors.ts';
import { errorFields, type Logger } from '../logger.ts';
import { storeLargeBody } from '../payloads/message-body.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import { MessageGroups } from '../sqs/message-groups.ts';
import type { QueueDirectory } from '../sqs/queue-directory.ts';
import { retry } from '../sqs/retry.ts';
import type { Sender } from '../sqs/sender.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import type { Timing } from '../time.ts';
import { isFifoQueue } from '../topology/fifo-queues.ts';
import { messageGroupOfRun } from '../topology/message-group.ts';
import { MAX_MESSAGE_BYTES, messageBytes } from '../wire/limits.ts';
import { encodeRemoteTask, type RemoteTask } from '../wire/remote-task.ts';

export interface DispatcherOptions {
  readonly sender: Sender;
  readonly queues: QueueDirectory;
  readonly namespace: string | undefined;
  readonly marker: string | undefined;
  readonly messageGroupId: ((task: RemoteTask) => string | undefined) | undefined;
  readonly payloadStore: PayloadStore | undefined;
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
  /** Order within a run on FIFO queues, kept over the tries of a dispatch. */
  readonly #runs = new MessageGroups();

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  async send(task: RemoteTask): Promise<void> {
    const { timeoutMs, timing, queues } = this.#options;
    const dispatch: Dispatch = { task, message: this.#message(task), stored: undefined, deadline: timing.now() + timeoutMs, tries: 0 };
    try {
      // Looked up first: whether tasks wait for each other is the queue's affair.
      const queueUrl = queues.knownTasksQueueUrl(task.group) ?? (await this.#retry(dispatch, () => queues.tasksQueueUrl(task.group)));
      const send = () => this.#retry(dispatch, () => this.#sendOnce(dispatch));
      await (isFifoQueue(queueUrl) ? this.#runs.run([task.runId], send) : send());
    } catch (error) {
      if (this.#isTransient(error)) throw new DispatchTimeoutError(task, timeoutMs, { cause: error });
      throw error;
    }
  }

  #retry<T>(dispatch: Dispatch, call: () => Promise<T>): Promise<T> {
    const { timing, logger } = this.#options;
    const { runId, stepId } = dispatch.task;
    return retry(call, {
      backoff: BACKOFF,
      timing,
      timeoutMs: dispatch.deadline - timing.now(),
      isTransient: (error) => {
        dispatch.tries += 1;
        const passes = this.#isTransient(error);
        if (passes) logger.warn('dispatch failed and is tried again', { runId, stepId, tries: dispatch.tries, ...errorFields(error) });
        return passes;
      },
    });
  }

  #isTransient(error: unknown): boolean {
    if (error instanceof QueueNotFoundError) return this.#options.queues.createsTasksQueues;
    return (error instanceof SqsRequestError || error instanceof PayloadStoreError) && error.transient;
  }

  async #sendOnce(dispatch: Dispatch): Promise<void> {
    const { queues, sender, payloadStore } = this.#options;
    const { task, message } = dispatch;
    const { runId, stepId, seq } = task;
    // Once: a try that comes after it finds the body stored.
    dispatch.stored ??=
      payloadStore === undefined ? message : await storeLargeBody(message, { kind: 'task', runId, stepId, seq }, payloadStore);
    const queueUrl = queues.knownTasksQueueUrl(task.group) ?? (await queues.tasksQueueUrl(task.group));
    try {
      await sender.send(queueUrl, this.#addressed(dispatch, dispatch.stored, queueUrl));
    } catch (error) {
      if (!(error instanceof QueueNotFoundError)) throw error;
      // Deleted since it was looked up; it may have been made anew, or autoCreate makes it. If not, this throws.
      queues.forget(queueUrl);
      const anew = await queues.tasksQueueUrl(task.group);
      await sender.send(anew, this.#addressed(dispatch, dispatch.stored, anew));
    }
  }

  #message(task: RemoteTask): OutgoingMessage {
    const { namespace, marker, payloadStore } = this.#options;
    if (namespace !== undefined && task.group.includes('@')) {
      throw new ConfigurationError(
        `token "${task.group}" of step ${task.stepId} carries a partition, but this transport is namespaced "${namespace}". Partitions live ` +
          'under the bare prefix: give the engine a transport without namespace, or drop the partition.',
      );
    }
    const body = encodeRemoteTask(task);
    const attributes = marker === undefined ? undefined : { [marker]: '1' };
    if (payloadStore === undefined) {
      const bytes = messageBytes(body, attributes);
      if (bytes > MAX_MESSAGE_BYTES) throw new TaskTooLargeError(task, bytes, MAX_MESSAGE_BYTES);
    }
    return attributes === undefined ? { body } : { body, attributes };
  }

  #addressed(dispatch: Dispatch, message: OutgoingMessage, queueUrl: string): OutgoingMessage {
    if (isFifoQueue(queueUrl)) {
      // One for all tries: SQS drops what it has already accepted. Not one per step and attempt: a step that is awaited in memory
      // begins again at attempt 1 after a crash, and for five minutes it would be dropped.
      dispatch.deduplicationId ??= randomUUID();
      return { ...message, groupId: messageGroupOfRun(dispatch.task.runId), deduplicationId: dispatch.deduplicationId };
    }
    const groupId = this.#options.messageGroupId?.(dispatch.task);
    return groupId === undefined ? message : { ...message, groupId };
  }
}

/** One call of `dispatch`, over all its tries. */
interface Dispatch {
  readonly task: RemoteTask;
  readonly message: OutgoingMessage;
  /** The message with its body in the payload store, where that is its place. */
  stored: OutgoingMessage | undefined;
  /** By `timing`. */
  readonly deadline: number;
  tries: number;
  deduplicationId?: string;
}
