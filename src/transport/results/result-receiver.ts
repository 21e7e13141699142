import { AwaitedElsewhereError, DurableSqsError, TransportClosedError } from '../../errors.ts';
import { errorFields } from '../../logger.ts';
import type { InFlightMessages } from '../../sqs/in-flight-messages.ts';
import { byMessageGroup } from '../../sqs/message-groups.ts';
import { Poller } from '../../sqs/poller.ts';
import type { ReceivedMessage, SqsApi } from '../../sqs/sqs-api.ts';
import { ResultIntake, type ResultIntakeOptions } from './result-intake.ts';
import { StandBack } from './stand-back.ts';
import { StoreOutage } from './store-outage.ts';

export interface ResultReceiverOptions extends ResultIntakeOptions {
  readonly api: SqsApi;
  readonly queues: { resultsQueueUrl(): Promise<string> };
  readonly waitTimeSeconds: number;
  /** How long a delete may wait for others to share its request. @default 0 */
  readonly deleteLingerMs?: number | undefined;
}

/** As the published transport: long enough for a turn, short enough after a crash; extended while a turn runs. */
const VISIBILITY_TIMEOUT_SECONDS = 30;
const MAX_RECEIVERS = 4;
/** Results held or with the engine at the same time: a bound for memory that no healthy engine reaches. */
const MAX_UNDER_WAY = 5_000;

/** Long-polls the results queue for one engine. Nothing that arrives, and nothing that the engine does, ends it. */
export class ResultReceiver extends ResultIntake {
  readonly #poller: Poller;
  readonly #outage: StoreOutage;
  readonly #standBack: StandBack;

  constructor(options: ResultReceiverOptions) {
    const { api, queues, waitTimeSeconds, deleteLingerMs, marker, timing, logger, onError } = options;
    super(options);
    this.#outage = new StoreOutage({
      ask: () => options.session.engine.storeAnswers(this),
      onBegin: () => logger.warn("the engine's store does not answer; receiving results pauses until it does", {}),
      onEnd: () => {
        logger.warn("the engine's store answers again; results are received", {});
        this.#poller.wake();
      },
      random: timing.random,
    });
    this.#standBack = new StandBack({ onEnd: () => this.#poller.wake(), random: timing.random });
    this.#poller = new Poller({
      api,
      queueUrl: () => queues.resultsQueueUrl(),
      receive: {
        waitTimeSeconds,
        visibilityTimeoutSeconds: VISIBILITY_TIMEOUT_SECONDS,
        attributeNames: marker === undefined ? [] : [marker],
      },
      deleteLingerMs,
      maxReceivers: MAX_RECEIVERS,
      room: () => (this.#outage.isDown || this.#standBack.isOn ? 0 : MAX_UNDER_WAY - this.underWay.size),
      onMessages: this.#received,
      onError: (error, retryInMs, url) => {
        logger.warn('receiving results failed', { ...errorFields(error), queue: url, retryInMs });
        onError(error, url);
      },
      onGivenUp: (error, queue) => {
        logger.warn('a delete or visibility change failed; the message will be redelivered', { ...errorFields(error), queue });
        onError(error, queue);
      },
      timing,
    });
  }

  start(): void {
    this.#poller.start();
  }

  /** Stops receiving, and has what is held redelivered. What is with the engine goes on; see {@link settled}. */
  async stop(): Promise<void> {
    this.#outage.stop();
    this.#standBack.stop();
    await this.#poller.stop();
    this.giveBack();
  }

  /** Resolves when the engine has answered for everything that it was given, and SQS has been told. */
  async settled(): Promise<void> {
    await this.underWay.idle();
    await this.#poller.settled();
  }

  /** Stops hiding what is still with the engine: another instance may have it. */
  abandon(): void {
    this.giveBack();
    this.#poller.abandon();
  }

  protected override onTaken(wereUnderWay: number): void {
    if (wereUnderWay >= MAX_UNDER_WAY) this.#poller.wake();
  }

  protected override onRejected(error: unknown, receiveCount: number): void {
    if (error instanceof AwaitedElsewhereError) this.#standBack.received(receiveCount);
    // For another instance, or for this one when it is there again.
    else if (error instanceof TransportClosedError) this.#standBack.begin(receiveCount);
    // Our own errors say nothing of the store.
    else if (!(error instanceof DurableSqsError)) void this.#outage.rejected();
  }

  protected override onAccepted(): void {
    if (this.#outage.isDown) this.#outage.end();
  }

  readonly #received = (messages: readonly ReceivedMessage[], inFlight: InFlightMessages): void => {
    for (const group of byMessageGroup(messages, inFlight.queueUrl)) void this.take(group, inFlight);
  };
}
