import { InvalidMessageError, TransportClosedError } from '../errors.ts';
import { errorFields, type Logger } from '../logger.ts';
import type { Acknowledger } from '../sqs/acknowledger.ts';
import { Acknowledgers } from '../sqs/acknowledgers.ts';
import { backoffMs, type Timing } from '../sqs/backoff.ts';
import { Poller } from '../sqs/poller.ts';
import type { ReceivedMessage, SqsApi } from '../sqs/sqs-api.ts';
import { decodeStepResult, type StepResult } from '../wire/step-result.ts';
import { foreignDelaySeconds, isForeign } from './foreign-message.ts';
import type { ResultOrder } from './result-order.ts';
import { StoreOutage } from './store-outage.ts';

export interface ResultReceiverOptions {
  readonly api: SqsApi;
  readonly queueUrl: () => Promise<string>;
  readonly waitTimeSeconds: number;
  readonly marker: string | undefined;
  readonly order: () => ResultOrder;
  /** The engine's handler. Its promise covers the run's whole next turn. */
  readonly handler: (result: StepResult) => Promise<void>;
  /** Asked when a result was taken: whether the run still waits for the turn that should have come of it. */
  readonly turnMissing: (result: StepResult) => boolean;
  /**
   * Called where it does, and for a result that was delivered before: an engine that rejected it, or died with it, may have saved it and
   * begun no turn, and whoever is given it again takes it silently.
   */
  readonly continueRun: (result: StepResult) => Promise<void>;
  readonly onError: (error: unknown, queueUrl: string | undefined) => void;
  readonly logger: Logger;
  readonly timing: Timing;
}

/** As the published transport: long enough for a turn, short enough after a crash; extended while a turn runs. */
const VISIBILITY_TIMEOUT_SECONDS = 30;
const MAX_RECEIVERS = 4;
/** Results held back or with the engine at the same time; a bound for memory that no healthy engine reaches. */
const MAX_IN_FLIGHT = 5_000;
const REDELIVERY_BACKOFF = { firstMs: 1_000, maxMs: 15 * 60_000 };

/** Long-polls the results queue and hands what it brings to the engine. Nothing that arrives, and nothing the engine does, ends it. */
export class ResultReceiver {
  readonly #options: ResultReceiverOptions;
  readonly #poller: Poller;
  readonly #acknowledgers: Acknowledgers;
  readonly #outage: StoreOutage;
  readonly #inFlight = new Set<Promise<void>>();

  constructor(options: ResultReceiverOptions) {
    this.#options = options;
    const { api, queueUrl, waitTimeSeconds, marker, timing, logger, onError } = options;
    this.#outage = new StoreOutage(() => this.#poller.wake(), timing.random);
    this.#acknowledgers = new Acknowledgers({
      api,
      visibilityTimeoutSeconds: VISIBILITY_TIMEOUT_SECONDS,
      timing,
      onError: (error, queue) => {
        logger.warn('a delete or visibility change failed; the message will be delivered again', { ...errorFields(error), queue });
        onError(error, queue);
      },
    });
    this.#poller = new Poller({
      api,
      queueUrl,
      receive: {
        waitTimeSeconds,
        visibilityTimeoutSeconds: VISIBILITY_TIMEOUT_SECONDS,
        attributeNames: marker === undefined ? [] : [marker],
      },
      maxReceivers: MAX_RECEIVERS,
      room: () => this.#outage.room(MAX_IN_FLIGHT - this.#inFlight.size),
      onMessages: (messages, url) => this.#take(messages, url),
      onError: (error, retryInMs, url) => {
        logger.warn('receiving results failed', { ...errorFields(error), queue: url, retryInMs });
        onError(error, url);
      },
      timing,
    });
  }

  start(): void {
    this.#poller.start();
  }

  /** Stops receiving. What is with the engine goes on; see {@link settled}. */
  async stop(): Promise<void> {
    this.#outage.stop();
    await this.#poller.stop();
  }

  /** Resolves when the engine is done with everything it was given, and SQS has been told. */
  async settled(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
    await this.#acknowledgers.idle();
  }

  /** Stops hiding what is still with the engine: another instance may have it. */
  abandon(): void {
    this.#acknowledgers.stop();
  }

  #take(messages: readonly ReceivedMessage[], queueUrl: string): void {
    const acknowledger = this.#acknowledgers.of(queueUrl);
    for (const message of messages) {
      acknowledger.hold(message.receiptHandle);
      const endProbe = this.#outage.received();
      const handled = this.#handle(message, acknowledger).finally(() => {
        const wasFull = this.#inFlight.size >= MAX_IN_FLIGHT;
        this.#inFlight.delete(handled);
        endProbe?.();
        if (wasFull) this.#poller.wake();
      });
      this.#inFlight.add(handled);
    }
  }

  async #handle(message: ReceivedMessage, acknowledger: Acknowledger): Promise<void> {
    const { marker, order, timing } = this.#options;
    if (isForeign(message, marker)) return acknowledger.release(message.receiptHandle, foreignDelaySeconds(message, timing.random));

    const result = this.#decode(message);
    if (result === undefined) return acknowledger.forget(message.receiptHandle);
    try {
      await order().submit(result, () => this.#deliver(result, message.receiveCount));
    } catch (error) {
      return this.#notTaken(error, message, result, acknowledger);
    }
    // The engine has it; the delete may come when it comes.
    void acknowledger.delete(message.receiptHandle);
  }

  #decode({ body, messageId, receiveCount }: ReceivedMessage): StepResult | undefined {
    try {
      return decodeStepResult(body);
    } catch (error) {
      const problem = error instanceof InvalidMessageError ? error.problem : 'it cannot be read';
      this.#options.logger.error('message is not a StepResult; left for the dead-letter queue', { messageId, receiveCount, problem });
      return undefined;
    }
  }

  async #deliver(result: StepResult, receiveCount: number): Promise<void> {
    const { handler, turnMissing, continueRun } = this.#options;
    try {
      await handler(result);
      if (turnMissing(result) || receiveCount > 1) await continueRun(result);
    } catch (error) {
      this.#outage.failed();
      throw error;
    }
    this.#outage.succeeded();
  }

  async #notTaken(error: unknown, message: ReceivedMessage, result: StepResult, acknowledger: Acknowledger): Promise<void> {
    // Closed before its turn came: nobody has seen it, so another instance may have it at once.
    if (error instanceof TransportClosedError) return acknowledger.release(message.receiptHandle, 0);

    const { logger, onError, timing } = this.#options;
    const delaySeconds = Math.ceil(backoffMs(message.receiveCount, REDELIVERY_BACKOFF, timing.random) / 1000);
    const ids = { runId: result.runId, stepId: result.stepId, messageId: message.messageId, receiveCount: message.receiveCount };
    logger.error('the engine rejected a result; it will be delivered again', { ...ids, ...errorFields(error), delaySeconds });
    onError(error, undefined);
    await acknowledger.release(message.receiptHandle, delaySeconds);
  }
}
