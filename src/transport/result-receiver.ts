import { InvalidMessageError, PayloadStoreError, TransportClosedError } from '../errors.ts';
import { errorFields, type Logger } from '../logger.ts';
import { readBody } from '../payloads/message-body.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import type { InFlightMessages } from '../sqs/in-flight-messages.ts';
import { byMessageGroup, type Disposition, handleInOrder } from '../sqs/message-groups.ts';
import { PendingCount } from '../sqs/pending-count.ts';
import { Poller } from '../sqs/poller.ts';
import type { ReceivedMessage, SqsApi } from '../sqs/sqs-api.ts';
import { isUnmarked, unmarkedDelaySeconds } from '../sqs/unmarked-message.ts';
import type { Timing } from '../time.ts';
import { isFifoQueue } from '../topology/fifo-queues.ts';
import { decodeStepResult, type StepResult } from '../wire/step-result.ts';
import { Handover } from './handover.ts';
import { redeliverySeconds } from './redelivery.ts';
import type { Handing, ResultOrder } from './result-order.ts';
import { StoreOutage } from './store-outage.ts';

export interface ResultReceiverOptions {
  readonly api: SqsApi;
  readonly queueUrl: () => Promise<string>;
  readonly waitTimeSeconds: number;
  /** How long deletes wait for each other's company. @default 0 */
  readonly deleteLingerMs?: number | undefined;
  readonly marker: string | undefined;
  readonly payloadStore: PayloadStore | undefined;
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
  /** Called when the engine has taken the result of a step that was not dispatched here, and the turn that came of it is over. */
  readonly takenForOther: (result: StepResult) => void;
  /** Whether the engine has saved a result that is with it, so that its message is needed no more. */
  readonly saved: (result: StepResult) => boolean;
  readonly onError: (error: unknown, queueUrl: string | undefined) => void;
  readonly logger: Logger;
  readonly timing: Timing;
}

/** As the published transport: long enough for a turn, short enough after a crash; extended while a turn runs. */
const VISIBILITY_TIMEOUT_SECONDS = 30;
const MAX_RECEIVERS = 4;
/** Results held back or with the engine at the same time; a bound for memory that no healthy engine reaches. */
const MAX_IN_FLIGHT = 5_000;
/** A body that is no result never will be one. On a FIFO queue it shuts its run's group, so its receives are to be used up soon. */
const UNREADABLE_ON_FIFO_SECONDS = 1;

/** Long-polls the results queue and hands what it brings to the engine. Nothing that arrives, and nothing the engine does, ends it. */
export class ResultReceiver {
  readonly #options: ResultReceiverOptions;
  readonly #poller: Poller;
  readonly #outage: StoreOutage;
  readonly #inFlight = new PendingCount();
  /** By run, on a FIFO queue: what is with the engine and shuts the run's group meanwhile. */
  readonly #handovers = new Map<string, Handover>();

  constructor(options: ResultReceiverOptions) {
    this.#options = options;
    const { api, queueUrl, waitTimeSeconds, deleteLingerMs, marker, timing, logger, onError } = options;
    this.#outage = new StoreOutage(() => this.#poller.wake(), timing.random);
    this.#poller = new Poller({
      api,
      queueUrl,
      receive: {
        waitTimeSeconds,
        visibilityTimeoutSeconds: VISIBILITY_TIMEOUT_SECONDS,
        attributeNames: marker === undefined ? [] : [marker],
      },
      deleteLingerMs,
      maxReceivers: MAX_RECEIVERS,
      room: () => this.#outage.room(MAX_IN_FLIGHT - this.#inFlight.size),
      onMessages: (messages, inFlight) => this.#take(messages, inFlight),
      onError: (error, retryInMs, url) => {
        logger.warn('receiving results failed', { ...errorFields(error), queue: url, retryInMs });
        onError(error, url);
      },
      onGivenUp: (error, queue) => {
        logger.warn('a delete or visibility change failed; the message will be delivered again', { ...errorFields(error), queue });
        onError(error, queue);
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
    await this.#inFlight.idle();
    await this.#poller.settled();
  }

  /** Stops hiding what is still with the engine: another instance may have it. */
  abandon(): void {
    this.#poller.abandon();
  }

  /**
   * A turn of the run now waits in memory for a step. Where a result that began this turn shuts the run's FIFO group, the result of that
   * step could never come: so its message is deleted now. The engine has saved it, and the turn is under way.
   */
  turnAwaits(runId: string): void {
    this.#handovers.get(runId)?.acknowledgeEarly();
  }

  #take(messages: readonly ReceivedMessage[], inFlight: InFlightMessages): void {
    const fifo = isFifoQueue(inFlight.queueUrl);
    for (const group of byMessageGroup(messages, inFlight.queueUrl)) {
      const endProbe = this.#outage.received();
      const handled = handleInOrder(
        group,
        (message) => this.#handle(message, inFlight, fifo),
        (message, delaySeconds) => inFlight.makeVisible(message.receiptHandle, delaySeconds),
      );
      this.#track(handled, endProbe);
    }
  }

  #track(work: Promise<void>, ended?: () => void): void {
    this.#inFlight.begin();
    const end = () => {
      const wasFull = this.#inFlight.size >= MAX_IN_FLIGHT;
      this.#inFlight.end();
      ended?.();
      if (wasFull) this.#poller.wake();
    };
    // Not `finally`, which makes three promises more.
    void work.then(end, (error) => {
      end();
      throw error;
    });
  }

  async #handle(message: ReceivedMessage, inFlight: InFlightMessages, fifo: boolean): Promise<Disposition> {
    const { marker, timing } = this.#options;
    if (isUnmarked(message, marker)) return this.#skip(message, inFlight, unmarkedDelaySeconds(message, timing.random));
    let body: string | undefined;
    try {
      const read = readBody(message.body, this.#options.payloadStore);
      // Not awaited where there is nothing to wait for: almost always.
      body = typeof read === 'string' ? read : await read;
    } catch (error) {
      return this.#unreadable(error, message, inFlight);
    }
    const result = this.#decode(message, body);
    if (result !== undefined) return fifo ? this.#handOverInGroup(message, result, inFlight) : this.#handOver(message, result, inFlight);
    if (fifo) return this.#skip(message, inFlight, UNREADABLE_ON_FIFO_SECONDS);
    inFlight.letExpire(message.receiptHandle);
    return 'skipped';
  }

  async #handOver(message: ReceivedMessage, result: StepResult, inFlight: InFlightMessages, handover?: Handover): Promise<Disposition> {
    try {
      await this.#options
        .order()
        .submit(result, (handing) => this.#deliver(result, message.receiveCount, handing, handover), message.sentAt);
    } catch (error) {
      return this.#notTaken(error, message, result, inFlight, handover);
    }
    // The engine has it; the delete may come when it comes. In a group it must come before the next message is handed over.
    if (handover === undefined) void inFlight.delete(message.receiptHandle);
    else await handover.acknowledge();
    return 'deleted';
  }

  async #handOverInGroup(message: ReceivedMessage, result: StepResult, inFlight: InFlightMessages): Promise<Disposition> {
    const handover = new Handover(
      () => inFlight.delete(message.receiptHandle),
      () => this.#options.saved(result),
    );
    this.#handovers.set(result.runId, handover);
    const handedOver = this.#handOver(message, result, inFlight, handover).finally(() => {
      if (this.#handovers.get(result.runId) === handover) this.#handovers.delete(result.runId);
    });
    // It may go on for long after its message was acknowledged.
    this.#track(handedOver.then(() => {}));
    return Promise.race([handedOver, handover.acknowledged.then(() => 'deleted' as const)]);
  }

  #decode({ messageId, receiveCount }: ReceivedMessage, body: string): StepResult | undefined {
    try {
      return decodeStepResult(body);
    } catch (error) {
      const problem = error instanceof InvalidMessageError ? error.problem : 'it cannot be read';
      this.#options.logger.error('message is not a StepResult; left for the dead-letter queue', { messageId, receiveCount, problem });
      return undefined;
    }
  }

  async #deliver(result: StepResult, receiveCount: number, { ours, awaited }: Handing, handover: Handover | undefined): Promise<void> {
    const { handler, turnMissing, continueRun, takenForOther } = this.#options;
    try {
      await handler(result);
      handover?.taken();
      // The turn that waits for it goes on by itself; a copy of its result that came along must begin no second one beside it.
      if (!awaited && (turnMissing(result) || receiveCount > 1)) await continueRun(result);
      if (!ours) takenForOther(result);
    } catch (error) {
      this.#outage.failed();
      throw error;
    }
    this.#outage.succeeded();
  }

  async #notTaken(
    error: unknown,
    message: ReceivedMessage,
    result: StepResult,
    inFlight: InFlightMessages,
    handover: Handover | undefined,
  ): Promise<Disposition> {
    // Closed before its turn came: nobody has seen it, so another instance may have it at once.
    if (error instanceof TransportClosedError) return this.#again(message, inFlight, 0);

    const { logger, onError } = this.#options;
    const ids = { runId: result.runId, stepId: result.stepId, messageId: message.messageId, receiveCount: message.receiveCount };
    onError(error, undefined);
    if (handover?.isAcknowledged) {
      logger.error('the turn that a result began failed after the result was saved', { ...ids, ...errorFields(error) });
      return 'deleted';
    }
    const delaySeconds = redeliverySeconds(message, this.#options.timing.random);
    logger.error('the engine rejected a result; it will be delivered again', { ...ids, ...errorFields(error), delaySeconds });
    return this.#again(message, inFlight, delaySeconds);
  }

  /** Its stored body is missing, denied or out of reach: that may be mended, so the result is kept and tried again. */
  #unreadable(error: unknown, message: ReceivedMessage, inFlight: InFlightMessages): Promise<Disposition> {
    const { logger, onError } = this.#options;
    const { messageId, receiveCount } = message;
    const delaySeconds = redeliverySeconds(message, this.#options.timing.random);
    const fields = { messageId, receiveCount, ...errorFields(error), delaySeconds };
    logger.error('the stored body of a result cannot be read; it will be delivered again', fields);
    onError(error, undefined);
    // One that is gone may stay so until its receives are used up: the other results of its run neither wait for it nor go with it.
    const transient = !(error instanceof PayloadStoreError) || error.transient;
    return transient ? this.#again(message, inFlight, delaySeconds) : this.#skip(message, inFlight, delaySeconds);
  }

  async #again({ receiptHandle }: ReceivedMessage, inFlight: InFlightMessages, delaySeconds: number): Promise<Disposition> {
    await inFlight.makeVisible(receiptHandle, delaySeconds);
    return { redeliveredInSeconds: delaySeconds };
  }

  /** It goes back too, and holds up nothing of its group. */
  async #skip({ receiptHandle }: ReceivedMessage, inFlight: InFlightMessages, delaySeconds: number): Promise<Disposition> {
    await inFlight.makeVisible(receiptHandle, delaySeconds);
    return 'skipped';
  }
}
