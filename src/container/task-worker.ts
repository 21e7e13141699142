import { PayloadStoreError, QueueNotFoundError, SqsRequestError } from '../errors.ts';
import { errorFields, type Logger } from '../logger.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import type { InFlightMessages } from '../sqs/in-flight-messages.ts';
import { byMessageGroup, type Disposition, handleInOrder } from '../sqs/message-groups.ts';
import { Poller } from '../sqs/poller.ts';
import { backoffMs, CONTAINER_RESULT_RETRIES, type RetryOptions } from '../sqs/retry.ts';
import type { Sender } from '../sqs/sender.ts';
import type { ReceivedMessage, SqsApi } from '../sqs/sqs-api.ts';
import { isUnmarked, unmarkedDelaySeconds } from '../sqs/unmarked-message.ts';
import { handleTask } from '../step/handle-task.ts';
import { InFlightTask, type ResultsQueue, type TaskHost } from '../step/in-flight-task.ts';
import { isRefusedMessage } from '../step/send-answer.ts';
import { type Around, runStep, type ServedStep, STEP_FORMAT, type StepInFlight } from '../step/step-tasks.ts';
import type { Timing } from '../time.ts';
import type { RemoteTask } from '../wire/remote-task.ts';
import type { StepResult } from '../wire/step-result.ts';

export interface TaskWorkerOptions {
  readonly api: SqsApi;
  readonly sender: Sender;
  readonly queueUrl: () => Promise<string>;
  readonly resultsQueueUrl: () => Promise<string>;
  /** By step name; grows while the worker runs. */
  readonly steps: ReadonlyMap<string, ServedStep>;
  readonly around?: Around | undefined;
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
const UNAVAILABLE_BACKOFF = { firstMs: 1_000, maxMs: 15 * 60_000 };
/** Nothing ends this process by the clock. */
const unlimited = () => Number.POSITIVE_INFINITY;
/**
 * The message is visible again when its timeout ends. What is behind it in its group, at once: SQS keeps the group
 * shut.
 */
const LEFT_TO_EXPIRE: Disposition = { redeliveredInSeconds: 0 };

/**
 * A worker in a container: long-polls one tasks queue, keeps each message hidden while its task is handled, and deletes
 * it once SQS has accepted the result.
 */
export class TaskWorker implements TaskHost<RemoteTask, StepResult> {
  readonly format = STEP_FORMAT;
  readonly fields = {};
  readonly marker: string | undefined;
  readonly payloadStore: PayloadStore | undefined;
  readonly logger: Logger;
  readonly results: ResultsQueue;
  readonly #options: TaskWorkerOptions;
  readonly #poller: Poller;
  /** Message groups that are being handled. */
  readonly #handling = new Set<Promise<void>>();
  readonly #atWork = new Set<StepInFlight>();
  /** Aborts when results are no longer to be sent. */
  readonly #abandoned = new AbortController();
  /** No further step begins. */
  #stopped = false;

  constructor(options: TaskWorkerOptions) {
    const { api, queueUrl, waitTimeSeconds, visibilityTimeoutSeconds, marker, timing, logger, onError, concurrency } = options;
    this.#options = options;
    this.marker = marker;
    this.payloadStore = options.payloadStore;
    this.logger = logger;
    this.results = { url: options.resultsQueueUrl, send: (resultsUrl, message) => options.sender.send(resultsUrl, message) };
    this.#poller = new Poller({
      api,
      queueUrl,
      receive: { waitTimeSeconds, visibilityTimeoutSeconds, attributeNames: marker === undefined ? [] : [marker] },
      maxReceivers: MAX_RECEIVERS,
      room: () => concurrency - this.#handling.size,
      onMessages: (messages, inFlight) => this.#take(messages, inFlight),
      onError: (error, retryInMs, url) => {
        logger.warn('receiving tasks failed', { ...errorFields(error), queue: url, retryInMs });
        onError(error, url);
      },
      onGivenUp: (error, queue) => {
        logger.warn('a delete or visibility change failed; the task may be redelivered', { ...errorFields(error), queue });
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

  /**
   * Aborts the signals of the steps that run, gives up results that SQS does not accept, and keeps no task hidden: SQS
   * delivers again what is in flight.
   */
  abandon(): void {
    for (const inFlight of this.#atWork) inFlight.stop(new Error('the worker is closing'));
    this.#abandoned.abort();
    this.#poller.abandon();
  }

  /** Resolves when every step has ended and SQS has been told. */
  async settled(): Promise<void> {
    while (this.#handling.size > 0) await Promise.all(this.#handling);
    await this.#poller.settled();
  }

  #take(messages: readonly ReceivedMessage[], inFlight: InFlightMessages): void {
    for (const group of byMessageGroup(messages, inFlight.queueUrl)) {
      const handled = handleInOrder(
        group,
        (message) => this.#handle(message, inFlight),
        (message, delaySeconds) => inFlight.release(message.receiptHandle, delaySeconds),
      ).finally(() => {
        this.#handling.delete(handled);
        this.#poller.wake();
      });
      this.#handling.add(handled);
    }
  }

  async #handle(message: ReceivedMessage, messages: InFlightMessages): Promise<Disposition> {
    const { messageId, body, receiveCount, receiptHandle } = message;
    const inFlight = new InFlightTask(
      { messageId, queue: messages.queueUrl, body, receiveCount, marked: !isUnmarked(message, this.marker) },
      this,
      false,
    );
    const outcome = await handleTask(inFlight);
    this.#atWork.delete(inFlight);
    const release = async (delaySeconds: number): Promise<Disposition> => {
      await messages.release(receiptHandle, delaySeconds);
      return { redeliveredInSeconds: delaySeconds };
    };
    const { random } = this.#options.timing;
    switch (outcome) {
      case 'answered':
        await messages.delete(receiptHandle);
        return 'deleted';
      case 'unmarked':
        return release(unmarkedDelaySeconds(message, random));
      case 'unavailable':
        return release(Math.ceil(backoffMs(receiveCount, UNAVAILABLE_BACKOFF, random) / 1000));
      case 'not served':
      case 'not started':
      case 'stopped':
        // Another worker can run it at once.
        return release(0);
      case 'unreadable':
      case 'not sent':
        messages.letExpire(receiptHandle);
        return LEFT_TO_EXPIRE;
    }
  }

  // --- TaskHost

  onError(error: unknown, queueUrl?: string): void {
    this.#options.onError(error, queueUrl);
  }

  begins(inFlight: StepInFlight): boolean {
    if (this.#stopped) return false;
    this.#atWork.add(inFlight);
    return true;
  }

  run(task: RemoteTask, inFlight: StepInFlight): Promise<StepResult> {
    return runStep(task, inFlight, this.#options, (context) => {
      context.remainingTimeMs = unlimited;
    });
  }

  /** Most likely it failed because it was stopped, and the engine would count that as the step's own failure. */
  redelivers({ status }: StepResult): boolean {
    return status === 'failed';
  }

  /**
   * Until SQS accepts or the worker closes: the step has run, and giving up would run it again. That holds for a
   * results queue that is missing too (it is looked up anew, and with `autoCreate` made anew), and for a right that is.
   * Not for what SQS refuses for itself, which it always will.
   */
  sendRetries(): RetryOptions {
    return {
      ...CONTAINER_RESULT_RETRIES,
      timing: this.#options.timing,
      signal: this.#abandoned.signal,
      isTransient: (error) => {
        if (error instanceof PayloadStoreError) return error.transient;
        return error instanceof QueueNotFoundError || (error instanceof SqsRequestError && !isRefusedMessage(error));
      },
    };
  }
}
