import { InvalidMessageError, QueueNotFoundError, SqsRequestError } from '../errors.ts';
import { errorFields, type LogFields, type Logger } from '../logger.ts';
import type { Acknowledger } from '../sqs/acknowledger.ts';
import { Acknowledgers } from '../sqs/acknowledgers.ts';
import { retry, type Timing } from '../sqs/backoff.ts';
import { Poller } from '../sqs/poller.ts';
import type { Sender } from '../sqs/sender.ts';
import type { ReceivedMessage, SqsApi } from '../sqs/sqs-api.ts';
import { encodeResult } from '../step/encode-result.ts';
import { runTask, type ServedStep } from '../step/run-task.ts';
import { decodeRemoteTask, type RemoteTask } from '../wire/remote-task.ts';
import { foreignDelaySeconds, isForeign } from './foreign-message.ts';

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
  readonly onError: (error: unknown, queueUrl: string | undefined) => void;
  readonly logger: Logger;
  readonly timing: Timing;
}

const MAX_RECEIVERS = 4;
const SEND_BACKOFF = { firstMs: 100, maxMs: 10_000 };

/** A worker in a container: long-polls one tasks queue and runs what comes, the same way from task to result as on Lambda. */
export class TaskWorker {
  readonly #options: TaskWorkerOptions;
  readonly #poller: Poller;
  readonly #acknowledgers: Acknowledgers;
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(options: TaskWorkerOptions) {
    this.#options = options;
    const { api, queueUrl, waitTimeSeconds, visibilityTimeoutSeconds, marker, timing, logger, onError, concurrency } = options;
    this.#acknowledgers = new Acknowledgers({
      api,
      visibilityTimeoutSeconds,
      timing,
      onError: (error, queue) => {
        logger.warn('a delete or visibility change failed; the task may be delivered again', { ...errorFields(error), queue });
        onError(error, queue);
      },
    });
    this.#poller = new Poller({
      api,
      queueUrl,
      receive: { waitTimeSeconds, visibilityTimeoutSeconds, attributeNames: marker === undefined ? [] : [marker] },
      maxReceivers: MAX_RECEIVERS,
      room: () => concurrency - this.#running.size,
      onMessages: (messages, url) => this.#take(messages, url),
      onError: (error, retryInMs, url) => {
        logger.warn('receiving tasks failed', { ...errorFields(error), queue: url, retryInMs });
        onError(error, url);
      },
      timing,
    });
  }

  start(): void {
    this.#poller.start();
  }

  /** Stops receiving; steps that run go on. */
  stop(): Promise<void> {
    return this.#poller.stop();
  }

  /** Aborts `step.signal`, gives up results that SQS does not accept, and stops hiding the tasks: they will be delivered again. */
  abort(): void {
    this.#stopping.abort(new Error('the worker is closing'));
    this.#acknowledgers.stop();
  }

  /** Resolves when every step has ended and SQS has been told. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
    await this.#acknowledgers.idle();
  }

  #take(messages: readonly ReceivedMessage[], queueUrl: string): void {
    const acknowledger = this.#acknowledgers.of(queueUrl);
    for (const message of messages) {
      acknowledger.hold(message.receiptHandle);
      const handled = this.#handle(message, acknowledger).finally(() => {
        this.#running.delete(handled);
        this.#poller.wake();
      });
      this.#running.add(handled);
    }
  }

  async #handle(message: ReceivedMessage, acknowledger: Acknowledger): Promise<void> {
    const { marker, steps, logger, onError, timing } = this.#options;
    if (isForeign(message, marker)) return acknowledger.release(message.receiptHandle, foreignDelaySeconds(message, timing.random));
    const task = this.#decode(message);
    if (task === undefined) return acknowledger.forget(message.receiptHandle);

    const { signal } = this.#stopping;
    const delivery = { signal, receiveCount: message.receiveCount, remainingTimeMs: () => Number.POSITIVE_INFINITY };
    const ids = { runId: task.runId, stepId: task.stepId };
    const { result } = await runTask(task, delivery, { steps });
    if (signal.aborted && result.status === 'failed') {
      // Most likely because of the abort, and the engine would count it as the step's own failure.
      logger.warn('step failed after it was aborted; the task goes back to the queue', ids);
      return acknowledger.release(message.receiptHandle, 0);
    }
    try {
      await this.#send(encodeResult(result, this.#attributes()).body, ids);
    } catch (error) {
      logger.error('result not accepted by SQS; the task will be delivered again', { ...ids, ...errorFields(error) });
      onError(error, undefined);
      return acknowledger.forget(message.receiptHandle);
    }
    await acknowledger.delete(message.receiptHandle);
  }

  /**
   * Tries until SQS accepts or the worker closes: the step has run, and giving up would run it again. That holds for a results queue
   * that is missing too: it is looked up anew, and with `autoCreate` made anew.
   */
  async #send(body: string, ids: LogFields): Promise<void> {
    const { sender, resultsQueueUrl, timing, logger, onError } = this.#options;
    const attributes = this.#attributes();
    let queueUrl: string | undefined;
    await retry(
      async () => {
        queueUrl = undefined;
        queueUrl = await resultsQueueUrl();
        await sender.send(queueUrl, { body, attributes });
      },
      {
        backoff: SEND_BACKOFF,
        timing,
        timeoutMs: Number.POSITIVE_INFINITY,
        passes: (error) => {
          const passes = error instanceof QueueNotFoundError || (error instanceof SqsRequestError && error.passing);
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

  #decode({ body, messageId, receiveCount }: ReceivedMessage): RemoteTask | undefined {
    try {
      return decodeRemoteTask(body);
    } catch (error) {
      const problem = error instanceof InvalidMessageError ? error.problem : 'it cannot be read';
      this.#options.logger.error('message is not a RemoteTask; left for the dead-letter queue', { messageId, receiveCount, problem });
      return undefined;
    }
  }
}
