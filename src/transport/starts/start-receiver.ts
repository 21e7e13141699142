import { errorFields, type Logger } from '../../logger.ts';
import type { PayloadStore } from '../../payloads/payload-store.ts';
import type { InFlightMessages } from '../../sqs/in-flight-messages.ts';
import { PendingCount } from '../../sqs/pending-count.ts';
import { Poller } from '../../sqs/poller.ts';
import type { ReceivedMessage, SqsApi } from '../../sqs/sqs-api.ts';
import type { Timing } from '../../time.ts';
import { READ_BY_NO_FUNCTION_SECONDS } from '../../topology/queue-kinds.ts';
import { StoreOutage } from '../results/store-outage.ts';
import { MessageStarts, type StartHandler } from './message-starts.ts';
import { settleStart } from './settle-start.ts';

export interface StartReceiverOptions {
  readonly api: SqsApi;
  readonly queueUrl: () => Promise<string>;
  readonly waitTimeSeconds: number;
  readonly payloadStore?: PayloadStore | undefined;
  readonly handler: StartHandler;
  /** Whether the engine's store answers. Never rejects. */
  readonly storeAnswers: () => Promise<boolean>;
  readonly onError: (error: unknown, queueUrl: string | undefined) => void;
  readonly logger: Logger;
  readonly timing: Timing;
}

const MAX_RECEIVERS = 2;
/** Runs that are being created at the same time: the engine's store sets the pace, not SQS. */
const MAX_UNDER_WAY = 100;

/**
 * Receives starts for one engine. The life of a start:
 *
 *     received ───── no StartRunMessage ────────────▶ left for the dead-letter queue
 *         │     └─── stored body cannot be read ────▶ redelivered, later each time
 *         │
 *     with the engine, which creates the run
 *         │     └─── refused ───────────────────────▶ redelivered, later each time; a pause while the store is down
 *         │
 *     deleted
 */
export class StartReceiver {
  readonly #options: StartReceiverOptions;
  readonly #starts: MessageStarts;
  readonly #poller: Poller;
  readonly #outage: StoreOutage;
  readonly #underWay = new PendingCount();

  constructor(options: StartReceiverOptions) {
    const { api, queueUrl, waitTimeSeconds, handler, payloadStore, storeAnswers, onError, logger, timing } = options;
    this.#options = options;
    this.#starts = new MessageStarts({ handler, payloadStore, logger, onError: (error) => onError(error, undefined) });
    this.#outage = new StoreOutage({
      ask: storeAnswers,
      onBegin: () => logger.warn("the engine's store does not answer; receiving starts pauses until it does", {}),
      onEnd: () => {
        logger.warn("the engine's store answers again; starts are received", {});
        this.#poller.wake();
      },
      random: timing.random,
    });
    this.#poller = new Poller({
      api,
      queueUrl,
      receive: { waitTimeSeconds, visibilityTimeoutSeconds: READ_BY_NO_FUNCTION_SECONDS },
      maxReceivers: MAX_RECEIVERS,
      room: () => (this.#outage.isDown ? 0 : MAX_UNDER_WAY - this.#underWay.size),
      onMessages: (messages, inFlight) => {
        for (const message of messages) void this.#take(message, inFlight);
      },
      onError: (error, retryInMs, url) => {
        logger.warn('receiving starts failed', { ...errorFields(error), queue: url, retryInMs });
        onError(error, url);
      },
      onGivenUp: (error, queue) => {
        logger.warn('a delete or visibility change failed; the start will be redelivered', { ...errorFields(error), queue });
        onError(error, queue);
      },
      timing,
    });
  }

  start(): void {
    this.#poller.start();
  }

  /** Stops receiving. What is with the engine goes on; see {@link settled}. */
  stop(): Promise<void> {
    this.#outage.stop();
    return this.#poller.stop();
  }

  /** Resolves when the engine has answered for every start, and SQS has been told. */
  async settled(): Promise<void> {
    await this.#underWay.idle();
    await this.#poller.settled();
  }

  /** Stops hiding what is still with the engine: another instance may have it. */
  abandon(): void {
    this.#poller.abandon();
  }

  async #take(message: ReceivedMessage, inFlight: InFlightMessages): Promise<void> {
    this.#underWay.begin();
    try {
      const outcome = await this.#starts.take(message);
      if (outcome === 'started') this.#outage.end();
      if (outcome === 'refused') void this.#outage.rejected();
      await settleStart(outcome, message, inFlight, this.#options.timing.random);
    } finally {
      const wasFull = this.#underWay.size >= MAX_UNDER_WAY;
      this.#underWay.end();
      if (wasFull) this.#poller.wake();
    }
  }
}
