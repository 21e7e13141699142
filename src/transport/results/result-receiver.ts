import type { WorkflowDecision } from '@dudousxd/nestjs-durable-core';
import { DurableSqsError } from '../../errors.ts';
import { errorFields, type Logger } from '../../logger.ts';
import { readBody } from '../../payloads/message-body.ts';
import type { PayloadStore } from '../../payloads/payload-store.ts';
import type { InFlightMessages } from '../../sqs/in-flight-messages.ts';
import { byMessageGroup, type Disposition, handleInOrder } from '../../sqs/message-groups.ts';
import { PendingCount } from '../../sqs/pending-count.ts';
import { Poller } from '../../sqs/poller.ts';
import type { ReceivedMessage, SqsApi } from '../../sqs/sqs-api.ts';
import { isUnmarked, unmarkedDelaySeconds } from '../../sqs/unmarked-message.ts';
import type { Timing } from '../../time.ts';
import { isFifoQueue } from '../../topology/fifo-queues.ts';
import type { StepResult } from '../../wire/step-result.ts';
import type { ResultSource } from '../engine/given.ts';
import type { ResultOrder } from '../engine/result-order.ts';
import type { Turns } from '../engine/turns.ts';
import { type Answer, decodeAnswer, idsOf } from './answer.ts';
import { GroupMessage } from './group-message.ts';
import { leaveForDeadLetters, Redelivery, skip } from './redelivery.ts';
import { StoreOutage } from './store-outage.ts';

export interface ResultReceiverOptions {
  readonly api: SqsApi;
  readonly queues: { resultsQueueUrl(): Promise<string> };
  readonly waitTimeSeconds: number;
  /** How long a delete may wait for others to share its request. @default 0 */
  readonly deleteLingerMs?: number | undefined;
  readonly marker?: string | undefined;
  readonly payloadStore?: PayloadStore | undefined;
  /** Whose engine results are given to. Asked for each: an engine may be attached after receiving has begun. */
  readonly session: { readonly engine: Pick<ResultOrder<Turns>, 'give' | 'decide' | 'withdraw' | 'storeAnswers'> };
  readonly handler: (result: StepResult) => Promise<void>;
  readonly decisionHandler: (decision: WorkflowDecision) => Promise<void>;
  readonly maxHoldMs: number;
  readonly onError: (error: unknown, queueUrl: string | undefined) => void;
  readonly logger: Logger;
  readonly timing: Timing;
}

/** As the published transport: long enough for a turn, short enough after a crash; extended while a turn runs. */
const VISIBILITY_TIMEOUT_SECONDS = 30;
const MAX_RECEIVERS = 4;
/** Results held or with the engine at the same time: a bound for memory that no healthy engine reaches. */
const MAX_UNDER_WAY = 5_000;

/**
 * Receives results for one engine. Nothing that arrives, and nothing that the engine does, ends it.
 *
 * The life of a result:
 *
 *     received ────────── without the marker ───────────▶ redelivered, to its own consumer
 *         │
 *     decoded ─────────── no StepResult ────────────────▶ left for the dead-letter queue
 *         │         └──── stored body cannot be read ───▶ redelivered, later each time
 *         │
 *     held                until the turn that dispatched its step has ended, and while another result of its run is with the engine
 *         │         └──── the transport closes ─────────▶ redelivered at once
 *         │
 *     with the engine     which saves it, and runs the turn that it begins: minutes, if that awaits a step in memory
 *         │         ├──── rejected ─────────────────────▶ redelivered, later each time
 *         │         ├──── of another namespace ─────────▶ redelivered, to its engine
 *         │         └──── its value is refused ─────────▶ its step fails; left for the dead-letter queue
 *         │
 *     deleted             on a FIFO queue before the turn ends, if that awaits a step in memory: SQS would not deliver its result
 */
export class ResultReceiver implements ResultSource {
  readonly handler: (result: StepResult) => Promise<void>;
  readonly decisionHandler: (decision: WorkflowDecision) => Promise<void>;
  readonly maxHoldMs: number;
  closed = false;
  readonly #options: ResultReceiverOptions;
  readonly #poller: Poller;
  readonly #outage: StoreOutage;
  readonly #underWay = new PendingCount();
  readonly #redelivery: Redelivery;

  constructor(options: ResultReceiverOptions) {
    const { api, queues, waitTimeSeconds, deleteLingerMs, marker, timing, logger, onError } = options;
    this.#options = options;
    this.handler = options.handler;
    this.decisionHandler = options.decisionHandler;
    this.maxHoldMs = options.maxHoldMs;
    this.#redelivery = new Redelivery(options);
    this.#outage = new StoreOutage({
      ask: () => options.session.engine.storeAnswers(this),
      onBegin: () => logger.warn("the engine's store does not answer; receiving results pauses until it does", {}),
      onEnd: () => {
        logger.warn("the engine's store answers again; results are received", {});
        this.#poller.wake();
      },
      random: timing.random,
    });
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
      room: () => (this.#outage.isDown ? 0 : MAX_UNDER_WAY - this.#underWay.size),
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
    await this.#poller.stop();
    this.#giveBack();
  }

  /** Resolves when the engine has answered for everything that it was given, and SQS has been told. */
  async settled(): Promise<void> {
    await this.#underWay.idle();
    await this.#poller.settled();
  }

  /** Stops hiding what is still with the engine: another instance may have it. */
  abandon(): void {
    this.#giveBack();
    this.#poller.abandon();
  }

  #giveBack(): void {
    this.closed = true;
    this.#options.session.engine.withdraw(this);
  }

  readonly #received = (messages: readonly ReceivedMessage[], inFlight: InFlightMessages): void => {
    for (const group of byMessageGroup(messages, inFlight.queueUrl)) void this.#handleGroup(group, inFlight);
  };

  async #handleGroup(group: readonly ReceivedMessage[], inFlight: InFlightMessages): Promise<void> {
    this.#underWay.begin();
    try {
      await handleInOrder(
        group,
        (message) => this.#handle(message, inFlight),
        (message, delaySeconds) => inFlight.release(message.receiptHandle, delaySeconds),
      );
    } finally {
      const wasFull = this.#underWay.size >= MAX_UNDER_WAY;
      this.#underWay.end();
      if (wasFull) this.#poller.wake();
    }
  }

  async #handle(message: ReceivedMessage, inFlight: InFlightMessages): Promise<Disposition> {
    const { marker, payloadStore, timing } = this.#options;
    if (marker !== undefined && isUnmarked(message, marker)) return skip(message, inFlight, unmarkedDelaySeconds(message, timing.random));
    if (message.receiveCount > 1 && this.#redelivery.isRefused(message)) return leaveForDeadLetters(message, inFlight);
    let answer: Answer;
    try {
      const body = readBody(message.body, payloadStore);
      answer = decodeAnswer(typeof body === 'string' ? body : await body);
    } catch (error) {
      return this.#redelivery.unreadable(error, message, inFlight);
    }
    if (!isFifoQueue(inFlight.queueUrl)) return this.#give(answer, message, inFlight);
    const inGroup = new GroupMessage(message.receiptHandle, inFlight);
    const given = this.#give(answer, message, inFlight, inGroup);
    // The turn may go on for long after the message was deleted.
    this.#underWay.begin();
    void given.finally(() => this.#underWay.end());
    return Promise.race([given, inGroup.deletedEarly]);
  }

  async #give(answer: Answer, message: ReceivedMessage, inFlight: InFlightMessages, inGroup?: GroupMessage): Promise<Disposition> {
    const { sentAt = 0, receiveCount } = message;
    const deleteEarly = inGroup && (() => inGroup.deleteEarly());
    try {
      const received = { source: this, sentAt, receiveCount, deleteEarly };
      const { engine } = this.#options.session;
      await (answer.decision === undefined
        ? engine.give({ ...received, result: answer.result })
        : engine.decide({ ...received, decision: answer.decision }));
    } catch (error) {
      // Our own errors say nothing of the store.
      if (!(error instanceof DurableSqsError)) void this.#outage.rejected();
      if (inGroup?.isDeleted) return this.#redelivery.turnFailed(error, idsOf(answer), message);
      return this.#redelivery.rejected(error, idsOf(answer), message, inFlight);
    }
    if (this.#outage.isDown) this.#outage.end();
    // In a group, the next message may be given only after that. Else nothing waits for it.
    if (inGroup === undefined) void inFlight.delete(message.receiptHandle);
    else await inGroup.delete();
    return 'deleted';
  }
}
