import { randomUUID } from 'node:crypto';
import type { WorkflowTask } from '@dudousxd/nestjs-durable-core';
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
import { PendingCount } from '../sqs/pending-count.ts';
import type { QueueDirectory } from '../sqs/queue-directory.ts';
import { DISPATCH_BACKOFF, retry } from '../sqs/retry.ts';
import type { Sender } from '../sqs/sender.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import type { Timing } from '../time.ts';
import { isFifoQueue } from '../topology/fifo-queues.ts';
import { messageGroupOfRun } from '../topology/message-group.ts';
import { kindOf } from '../wire/json.ts';
import { MAX_MESSAGE_BYTES, messageBytes } from '../wire/limits.ts';
import type { RemoteTask } from '../wire/remote-task.ts';
import { type SentTask, type TransportEvents, type TransportTracing, tell } from './observers.ts';
import { type OutgoingTask, stepTask, turnTask } from './outgoing-task.ts';

export interface DispatcherOptions {
  readonly sender: Sender;
  readonly queues: QueueDirectory;
  readonly namespace?: string | undefined;
  readonly marker?: string | undefined;
  readonly messageGroupId?: ((task: RemoteTask) => string | undefined) | undefined;
  readonly payloadStore?: PayloadStore | undefined;
  readonly timeoutMs: number;
  readonly on?: TransportEvents | undefined;
  readonly tracing?: TransportTracing | undefined;
  readonly logger: Logger;
  readonly timing: Timing;
}

/** One call of `send`, over all its tries. */
interface Dispatch {
  readonly task: OutgoingTask;
  readonly message: OutgoingMessage;
  /** The message with its body in the payload store, where that is its place. */
  stored?: OutgoingMessage;
  /** By `timing`. */
  readonly deadline: number;
  tries: number;
  /** Where the task is being sent; undefined while its queue is being looked up. */
  queueUrl?: string | undefined;
  /** Its queue was gone once, and was looked up again. */
  queueWasGone: boolean;
  /** On a FIFO queue. */
  deduplicationId?: string;
}

/**
 * Sends tasks: looks the queue up, stores a body that is too large, sends. A rejection fails the run at once (the
 * step's own `retries` do not apply to it), so what is transient is retried for long; a definite refusal rejects at
 * once.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  /** The order of a run's tasks on FIFO queues, kept over the tries of each. */
  readonly #runs = new MessageGroups();
  /** Calls of `send` that have not settled, wherever they are: look-up, payload store, SQS, or between two tries. */
  readonly #underWay = new PendingCount();

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Tasks that SQS has not accepted yet. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** Resolves when no task is under way, those included that are dispatched meanwhile. */
  idle(): Promise<void> {
    return this.#underWay.idle();
  }

  /** Resolves once SQS has accepted the task. */
  send(task: RemoteTask): Promise<void> {
    return this.#observed(stepTask(task), (traceparent) => stepTask({ ...task, traceparent }));
  }

  /** Resolves once SQS has accepted the turn. */
  sendTurn(task: WorkflowTask): Promise<void> {
    return this.#observed(turnTask(task), (traceparent) => turnTask({ ...task, traceparent }));
  }

  /** @param traced the same task with another trace context */
  async #observed(task: OutgoingTask, traced: (traceparent: string) => OutgoingTask): Promise<void> {
    const { on, tracing, logger } = this.#options;
    if (on === undefined && tracing === undefined) {
      await this.#dispatch(task);
      return;
    }
    const sent: SentTask = sentTask(task);
    const send = async (traceparent: string | undefined) => {
      const queueUrl = await this.#dispatch(traceparent === undefined ? task : traced(traceparent));
      tell(on?.taskSent, { ...sent, queueUrl }, logger);
      return queueUrl;
    };
    await (tracing === undefined ? send(undefined) : tracing.send(sent, send));
  }

  /** Gives the URL of the queue that has the task. */
  async #dispatch(task: OutgoingTask): Promise<string> {
    const { timeoutMs, timing, queues } = this.#options;
    const dispatch: Dispatch = { task, message: this.#messageOf(task), deadline: timing.now() + timeoutMs, tries: 0, queueWasGone: false };
    const send = () => this.#send(dispatch);
    this.#underWay.begin();
    try {
      // Looked up first: whether a task waits for the one before it depends on its queue.
      const queueUrl = queues.knownTasksQueueUrl(task.group) ?? (await this.#retry(dispatch, () => queues.tasksQueueUrl(task.group)));
      if (isFifoQueue(queueUrl)) await this.#runs.run([task.ids.runId], () => this.#retry(dispatch, send));
      else await this.#retry(dispatch, send);
      return dispatch.queueUrl ?? queueUrl;
    } catch (error) {
      throw this.#isTransient(error) ? new DispatchTimeoutError(task.ids, timeoutMs, { cause: error }) : error;
    } finally {
      this.#underWay.end();
    }
  }

  #messageOf(task: OutgoingTask): OutgoingMessage {
    const { namespace, marker, payloadStore } = this.#options;
    if (namespace !== undefined && task.group.includes('@')) {
      throw new ConfigurationError(
        `token "${task.group}" of step ${task.ids.stepId} carries a partition, but this transport is namespaced "${namespace}". Partitions live ` +
          'under the bare prefix: give the engine a transport without namespace, or drop the partition.',
      );
    }
    const body = task.encode();
    const attributes = marker === undefined ? undefined : { [marker]: '1' };
    if (payloadStore === undefined) {
      const bytes = messageBytes(body, attributes);
      if (bytes > MAX_MESSAGE_BYTES) throw new TaskTooLargeError({ ...task.ids, name: task.name }, bytes, MAX_MESSAGE_BYTES);
    }
    return attributes === undefined ? { body } : { body, attributes };
  }

  #retry<T>(dispatch: Dispatch, call: () => Promise<T>): Promise<T> {
    const { timing, logger } = this.#options;
    const { runId, stepId } = dispatch.task.ids;
    return retry(call, {
      backoff: DISPATCH_BACKOFF,
      timing,
      timeoutMs: dispatch.deadline - timing.now(),
      isTransient: (error) => {
        dispatch.tries += 1;
        const again = this.#isQueueGone(dispatch, error) || this.#isTransient(error);
        // Without credentials, every run's dispatch fails again and again: tries 1, 2, 4, 8, … are told.
        const told = again && Number.isInteger(Math.log2(dispatch.tries));
        if (told) logger.warn('dispatch failed and is tried again', { runId, stepId, tries: dispatch.tries, ...errorFields(error) });
        return again;
      },
    });
  }

  async #send(dispatch: Dispatch): Promise<void> {
    const { queues, sender, payloadStore, messageGroupId } = this.#options;
    const { task, message } = dispatch;
    dispatch.queueUrl = undefined;
    if (payloadStore !== undefined) dispatch.stored ??= await storeLargeBody(message, { kind: task.kind, ...task.ids }, payloadStore);
    dispatch.queueUrl = queues.knownTasksQueueUrl(task.group) ?? (await queues.tasksQueueUrl(task.group));
    const hasGroup = messageGroupId !== undefined || isFifoQueue(dispatch.queueUrl);
    const sent = dispatch.stored ?? message;
    await sender.send(dispatch.queueUrl, hasGroup ? this.#inGroup(sent, dispatch, dispatch.queueUrl) : sent);
  }

  #inGroup(message: OutgoingMessage, dispatch: Dispatch, queueUrl: string): OutgoingMessage {
    if (isFifoQueue(queueUrl)) {
      // One id for all tries: SQS drops what it has already accepted. Not one per step and attempt: a step that is
      // awaited in memory begins again at attempt 1 after a crash, and for five minutes it would be dropped.
      dispatch.deduplicationId ??= randomUUID();
      return { ...message, groupId: messageGroupOfRun(dispatch.task.ids.runId), deduplicationId: dispatch.deduplicationId };
    }
    const { step } = dispatch.task;
    const groupId: unknown = step && this.#options.messageGroupId?.(step);
    if (groupId === undefined) return message;
    if (typeof groupId === 'string' && groupId !== '') return { ...message, groupId };
    throw new ConfigurationError(
      `SqsTransport: expected messageGroupId(task) to give a non-empty string or undefined, got ${kindOf(groupId)}`,
    );
  }

  #isTransient(error: unknown): boolean {
    if (error instanceof QueueNotFoundError) return this.#options.queues.createsTasksQueues;
    return (error instanceof SqsRequestError || error instanceof PayloadStoreError) && error.transient;
  }

  /**
   * The queue was deleted since it was looked up. It may have been made anew, so it is looked up again: once, where
   * nobody makes it.
   */
  #isQueueGone(dispatch: Dispatch, error: unknown): boolean {
    if (!(error instanceof QueueNotFoundError) || dispatch.queueUrl === undefined) return false;
    this.#options.queues.forget(dispatch.queueUrl);
    const isFirstTime = !dispatch.queueWasGone;
    dispatch.queueWasGone = true;
    return isFirstTime;
  }
}

function sentTask({ kind, name, ids, attempt, traceparent }: OutgoingTask): SentTask {
  const { runId, stepId } = ids;
  return { kind: kind === 'turn' ? 'turn' : 'step', name, runId, stepId, attempt, traceparent };
}
