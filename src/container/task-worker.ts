import { randomUUID } from 'node:crypto';
import { PayloadStoreError, QueueNotFoundError, SqsRequestError } from '../errors.ts';
import { errorFields, type LogFields, type Logger } from '../logger.ts';
import { storeLargeBody } from '../payloads/message-body.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import type { InFlightMessages } from '../sqs/in-flight-messages.ts';
import { byMessageGroup, type Disposition, handleInOrder } from '../sqs/message-groups.ts';
import { Poller } from '../sqs/poller.ts';
import { backoffMs, retry } from '../sqs/retry.ts';
import type { Sender } from '../sqs/sender.ts';
import type { OutgoingMessage, ReceivedMessage, SqsApi } from '../sqs/sqs-api.ts';
import { isUnmarked, unmarkedDelaySeconds } from '../sqs/unmarked-message.ts';
import { encodeResult } from '../step/encode-result.ts';
import { payloadFailure } from '../step/payload-failure.ts';
import { runTask, type ServedStep } from '../step/run-task.ts';
import { isForMessage, sendFitting } from '../step/send-fitting.ts';
import { stepContext } from '../step/step-context.ts';
import type { Timing } from '../time.ts';
import { isFifoQueue } from '../topology/fifo-queues.ts';
import { messageGroupOfRun } from '../topology/message-group.ts';
import type { RemoteTask } from '../wire/remote-task.ts';
import type { StepResult } from '../wire/step-result.ts';
import { readTask } from './task-body.ts';

export interface TaskWorkerOptions {
  readonly api: SqsApi;
  readonly sender: Sender;
  readonly queueUrl: () => Promise<string>;
  readonly resultsQueueUrl: () => Promise<string>;
  /** By step name; grows while the worker runs. */
  readonly steps: ReadonlyMap<string, ServedStep>;
  readonly concurrency: number;
  readonly waitTimeSeconds: number;
  readonly visibilityTimeoutSeconds: number;
  readonly marker: string | undefined;
  readonly payloadStore: PayloadStore | undefined;
  readonly onError: (error: unknown, queueUrl: string | undefined) => void;
  readonly logger: Logger;
  readonly timing: Timing;
}

const MAX_RECEIVERS = 4;
const SEND_BACKOFF = { firstMs: 100, maxMs: 10_000 };
const UNREAD_BACKOFF = { firstMs: 1_000, maxMs: 15 * 60_000 };
/** With a payload store an output may be as large as a string can be in any language that reads it. */
const MAX_STORED_BYTES = 256 * 1024 * 1024;
/** The message comes again when its visibility ends. What is behind it in its group goes back at once: SQS keeps the group shut. */
const COMES_AGAIN: Disposition = { redeliveredInSeconds: 0 };

/** A worker in a container: long-polls one tasks queue and runs what comes, the same way from task to result as on Lambda. */
export class TaskWorker {
  readonly #options: TaskWorkerOptions;
  readonly #poller: Poller;
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  /** No further step begins. */
  #stopped = false;

  constructor(options: TaskWorkerOptions) {
    this.#options = options;
    const { api, queueUrl, waitTimeSeconds, visibilityTimeoutSeconds, marker, timing, logger, onError, concurrency } = options;
    this.#poller = new Poller({
      api,
      queueUrl,
      receive: { waitTimeSeconds, visibilityTimeoutSeconds, attributeNames: marker === undefined ? [] : [marker] },
      maxReceivers: MAX_RECEIVERS,
      room: () => concurrency - this.#running.size,
      onMessages: (messages, inFlight) => this.#take(messages, inFlight),
      onError: (error, retryInMs, url) => {
        logger.warn('receiving tasks failed', { ...errorFields(error), queue: url, retryInMs });
        onError(error, url);
      },
      onGivenUp: (error, queue) => {
        logger.warn('a delete or visibility change failed; the task may be delivered again', { ...errorFields(error), queue });
        onError(error, queue);
      },
      timing,
    });
  }

  start(): void {
    this.#poller.start();
  }

  /** Stops receiving and beginning; steps that run go on. */
  stop(): Promise<void> {
    this.#stopped = true;
    return this.#poller.stop();
  }

  /** Aborts `step.signal`, gives up results that SQS does not accept, and stops hiding the tasks: they will be delivered again. */
  abandon(): void {
    this.#stopping.abort(new Error('the worker is closing'));
    this.#poller.abandon();
  }

  /** Resolves when every step has ended and SQS has been told. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
    await this.#poller.settled();
  }

  #take(messages: readonly ReceivedMessage[], inFlight: InFlightMessages): void {
    for (const group of byMessageGroup(messages, inFlight.queueUrl)) {
      const handled = handleInOrder(
        group,
        (message) => this.#handle(message, inFlight),
        (message, delaySeconds) => inFlight.release(message.receiptHandle, delaySeconds),
      ).finally(() => {
        this.#running.delete(handled);
        this.#poller.wake();
      });
      this.#running.add(handled);
    }
  }

  async #handle(message: ReceivedMessage, inFlight: InFlightMessages): Promise<Disposition> {
    const { marker, logger, timing, payloadStore } = this.#options;
    const { messageId, receiveCount, receiptHandle } = message;
    if (isUnmarked(message, marker)) return again(message, inFlight, unmarkedDelaySeconds(message, timing.random));
    // Not begun, and another worker can run it at once: it is behind one of its group, or came while this one closes.
    if (this.#stopped) return again(message, inFlight, 0);

    const read = await readTask(message.body, payloadStore);
    switch (read.kind) {
      case 'malformed':
        logger.error('message is not a RemoteTask; left for the dead-letter queue', { messageId, receiveCount, problem: read.problem });
        inFlight.letExpire(receiptHandle);
        return COMES_AGAIN;
      case 'unread': {
        const delaySeconds = Math.ceil(backoffMs(receiveCount, UNREAD_BACKOFF, timing.random) / 1000);
        const fields = { messageId, receiveCount, ...errorFields(read.error), delaySeconds };
        logger.error('the stored body of a task cannot be read; it will be delivered again', fields);
        this.#options.onError(read.error, undefined);
        return again(message, inFlight, delaySeconds);
      }
      case 'lost':
        logger.error('the stored body of a task cannot be read; the step fails', { messageId, receiveCount, ...errorFields(read.error) });
        return this.#answer(read.result, message, inFlight);
      case 'task':
        return this.#run(read.task, message, inFlight);
    }
  }

  async #run(task: RemoteTask, message: ReceivedMessage, inFlight: InFlightMessages): Promise<Disposition> {
    const { signal } = this.#stopping;
    const delivery = { task, signal, receiveCount: message.receiveCount, remainingTimeMs: () => Number.POSITIVE_INFINITY };
    const result = await runTask(task, { steps: this.#options.steps }, { contextOf: (logger) => stepContext(logger, delivery) });
    if (signal.aborted && result.status === 'failed') {
      // Most likely because of the abort, and the engine would count it as the step's own failure.
      const ids = { runId: task.runId, stepId: task.stepId };
      this.#options.logger.warn('step failed after it was aborted; the task goes back to the queue', ids);
      return again(message, inFlight, 0);
    }
    return this.#answer(result, message, inFlight);
  }

  /** Sends the result and, once SQS has it, deletes the task. */
  async #answer(result: StepResult, { receiptHandle }: ReceivedMessage, inFlight: InFlightMessages): Promise<Disposition> {
    const { logger, onError } = this.#options;
    const ids = { runId: result.runId, stepId: result.stepId };
    try {
      await this.#send(result, ids);
    } catch (error) {
      logger.error('result not accepted by SQS; the task will be delivered again', { ...ids, ...errorFields(error) });
      onError(error, undefined);
      inFlight.letExpire(receiptHandle);
      return COMES_AGAIN;
    }
    await inFlight.delete(receiptHandle);
    return 'deleted';
  }

  /**
   * Tries until SQS accepts or the worker closes: the step has run, and giving up would run it again. That holds for a results queue
   * that is missing too (it is looked up anew, and with `autoCreate` made anew), and for a right that is. Not for what SQS refuses for
   * itself, which it always will.
   */
  async #send(result: StepResult, ids: LogFields): Promise<void> {
    const { sender, resultsQueueUrl, payloadStore, timing, logger, onError } = this.#options;
    const attributes = this.#attributes();
    const about = { kind: 'result', runId: result.runId, stepId: result.stepId, seq: result.seq } as const;
    const limitBytes = payloadStore === undefined ? undefined : MAX_STORED_BYTES;
    const message = { body: encodeResult(result, attributes, limitBytes).body, attributes };
    const failed = (error: PayloadStoreError): OutgoingMessage => {
      logger.error('the result is too large for SQS and could not be stored; the step fails', { ...ids, ...errorFields(error) });
      return { body: encodeResult(payloadFailure(result, 'the result could not be stored', error), attributes).body, attributes };
    };
    const fifo = { groupId: messageGroupOfRun(result.runId), deduplicationId: randomUUID() };
    let stored: OutgoingMessage | undefined;
    let queueUrl: string | undefined;
    await retry(
      async () => {
        queueUrl = undefined;
        stored ??= await storedOr(failed, () => storeLargeBody(message, about, payloadStore));
        queueUrl = await resultsQueueUrl();
        const to = queueUrl;
        const given = await sendFitting(isFifoQueue(to) ? { ...stored, ...fifo } : stored, (sent) => sender.send(to, sent));
        if (given !== undefined) logger.warn('result too large for the results queue; sent without what did not fit', { ...ids, ...given });
      },
      {
        backoff: SEND_BACKOFF,
        timing,
        timeoutMs: Number.POSITIVE_INFINITY,
        isTransient: (error) => {
          const passes = error instanceof QueueNotFoundError || isPassing(error);
          if (passes) {
            logger.warn('sending a result failed and is tried again', { ...ids, ...errorFields(error), queue: queueUrl });
            onError(error, queueUrl);
          }
          return passes;
        },
        signal: this.#stopping.signal,
      },
    );
  }

  #attributes(): Readonly<Record<string, string>> {
    const { marker } = this.#options;
    return marker === undefined ? {} : { [marker]: '1' };
  }
}

async function again({ receiptHandle }: ReceivedMessage, inFlight: InFlightMessages, delaySeconds: number): Promise<Disposition> {
  await inFlight.release(receiptHandle, delaySeconds);
  return { redeliveredInSeconds: delaySeconds };
}

function isPassing(error: unknown): boolean {
  if (error instanceof PayloadStoreError) return error.transient;
  return error instanceof SqsRequestError && !isForMessage(error);
}

/** A message as it was stored; another one where the store will never take it. */
async function storedOr(
  failed: (error: PayloadStoreError) => OutgoingMessage,
  store: () => Promise<OutgoingMessage>,
): Promise<OutgoingMessage> {
  try {
    return await store();
  } catch (error) {
    if (!(error instanceof PayloadStoreError) || error.transient) throw error;
    return failed(error);
  }
}
