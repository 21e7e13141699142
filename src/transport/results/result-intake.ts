import type { WorkflowDecision } from '@dudousxd/nestjs-durable-core';
import type { DurableSqsError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { readBody } from '../../payloads/message-body.ts';
import type { PayloadStore } from '../../payloads/payload-store.ts';
import type { HeldMessages } from '../../sqs/in-flight-messages.ts';
import { type Disposition, handleInOrder } from '../../sqs/message-groups.ts';
import { PendingCount } from '../../sqs/pending-count.ts';
import type { ReceivedMessage } from '../../sqs/sqs-api.ts';
import { isUnmarked, unmarkedDelaySeconds } from '../../sqs/unmarked-message.ts';
import type { Timing } from '../../time.ts';
import { isFifoQueue } from '../../topology/fifo-queues.ts';
import type { StepResult } from '../../wire/step-result.ts';
import type { ResultSource } from '../engine/given.ts';
import type { ResultOrder } from '../engine/result-order.ts';
import type { Turns } from '../engine/turns.ts';
import { type ReceivedAnswer, type TransportEvents, type TransportTracing, tell } from '../observers.ts';
import { type Answer, decodeAnswer, idsOf } from './answer.ts';
import { GroupMessage } from './group-message.ts';
import { leaveForDeadLetters, Redelivery, skip } from './redelivery.ts';

export interface ResultIntakeOptions {
  readonly marker?: string | undefined;
  readonly payloadStore?: PayloadStore | undefined;
  /** Whose engine results are given to. Asked for each: an engine may be attached after receiving has begun. */
  readonly session: { readonly engine: Pick<ResultOrder<Turns>, 'give' | 'decide' | 'withdraw' | 'storeAnswers'> };
  readonly handler: (result: StepResult) => Promise<void>;
  readonly decisionHandler: (decision: WorkflowDecision) => Promise<void>;
  readonly maxHoldMs: number;
  readonly onError: (error: unknown, queueUrl: string | undefined) => void;
  readonly on?: TransportEvents | undefined;
  readonly tracing?: TransportTracing | undefined;
  readonly logger: Logger;
  readonly timing: Timing;
}

/**
 * Gives received messages to one engine: results of steps, and decisions of turns. A poller and a Lambda function both
 * go by this.
 *
 * The life of a result:
 *
 *     received ────────── without the marker ───────────▶ redelivered, to its own consumer
 *         │
 *     decoded ─────────── no StepResult ────────────────▶ left for the dead-letter queue
 *         │         └──── stored body cannot be read ───▶ redelivered, later each time
 *         │
 *     held                until the turn that dispatched its step has ended; while the engine has another of its run
 *         │         └──── the transport closes ─────────▶ redelivered at once
 *         │
 *     with the engine     which saves it, and runs the turn that it begins: minutes, if that awaits a step in memory
 *         │         ├──── rejected ─────────────────────▶ redelivered, later each time
 *         │         ├──── of another namespace ─────────▶ redelivered, to its engine
 *         │         ├──── awaited by another instance ──▶ redelivered, to that instance
 *         │         └──── its value is refused ─────────▶ its step fails; left for the dead-letter queue
 *         │
 *     deleted             on a FIFO queue before the turn ends, if that awaits a step in memory, whose result SQS keeps
 */
export class ResultIntake implements ResultSource {
  readonly handler: (result: StepResult) => Promise<void>;
  readonly decisionHandler: (decision: WorkflowDecision) => Promise<void>;
  readonly maxHoldMs: number;
  closed = false;
  /** Groups of messages whose handling has not ended. */
  protected readonly underWay = new PendingCount();
  readonly #options: ResultIntakeOptions;
  readonly #redelivery: Redelivery;

  constructor(options: ResultIntakeOptions) {
    this.#options = options;
    this.handler = options.handler;
    this.decisionHandler = options.decisionHandler;
    this.maxHoldMs = options.maxHoldMs;
    this.#redelivery = new Redelivery(options);
  }

  /**
   * Takes the messages of one message group in order, or one message of a standard queue. Resolves when each is deleted
   * or released. Never rejects.
   */
  async take(group: readonly ReceivedMessage[], held: HeldMessages): Promise<void> {
    this.underWay.begin();
    try {
      await handleInOrder(
        group,
        (message) => this.#handle(message, held),
        (message, delaySeconds) => held.release(message.receiptHandle, delaySeconds),
      );
    } finally {
      const wereUnderWay = this.underWay.size;
      this.underWay.end();
      this.onTaken(wereUnderWay);
    }
  }

  /** From now on what comes is redelivered, but what a turn that goes on awaits in memory. */
  takeOnlyAwaited(): void {
    this.closed = true;
  }

  /** Has what is held back redelivered. What is with the engine goes on. */
  giveBack(): void {
    this.takeOnlyAwaited();
    this.#options.session.engine.withdraw(this);
  }

  /** A group was taken, of so many that were under way. */
  protected onTaken(_wereUnderWay: number): void {}

  /** A message was rejected: by the engine, whose store may be down, or by us ({@link DurableSqsError}). */
  protected onRejected(_error: unknown, _receiveCount: number): void {}

  /** The engine has accepted a message: its store answers. */
  protected onAccepted(): void {}

  async #handle(message: ReceivedMessage, inFlight: HeldMessages): Promise<Disposition> {
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
    this.underWay.begin();
    void given.finally(() => this.underWay.end());
    return Promise.race([given, inGroup.deletedEarly]);
  }

  async #give(answer: Answer, message: ReceivedMessage, inFlight: HeldMessages, inGroup?: GroupMessage): Promise<Disposition> {
    const { on, tracing, logger } = this.#options;
    if (on === undefined && tracing === undefined) return this.#giveToEngine(answer, message, inFlight, inGroup);
    const seen = seenAnswer(answer, message, inFlight.queueUrl);
    tell(on?.resultReceived, seen, logger);
    const disposition = await this.#giveToEngine(answer, message, inFlight, inGroup, (give) =>
      tracing === undefined ? give() : tracing.receive(seen, give),
    );
    if (disposition === 'deleted') tell(on?.resultAccepted, seen, logger);
    else {
      const delaySeconds = disposition === 'skipped' ? undefined : disposition.redeliveredInSeconds;
      tell(on?.redelivered, { ...seen, delaySeconds }, logger);
    }
    return disposition;
  }

  async #giveToEngine(
    answer: Answer,
    message: ReceivedMessage,
    inFlight: HeldMessages,
    inGroup: GroupMessage | undefined,
    around: (give: () => Promise<void>) => Promise<unknown> = (give) => give(),
  ): Promise<Disposition> {
    const { sentAt = 0, receiveCount } = message;
    const deleteEarly = inGroup && (() => inGroup.deleteEarly());
    try {
      const received = { source: this, sentAt, receiveCount, deleteEarly };
      const { engine } = this.#options.session;
      await around(() =>
        answer.decision === undefined
          ? engine.give({ ...received, result: answer.result })
          : engine.decide({ ...received, decision: answer.decision }),
      );
    } catch (error) {
      this.onRejected(error, receiveCount);
      if (inGroup?.isDeleted) return this.#redelivery.turnFailed(error, idsOf(answer), message);
      return this.#redelivery.rejected(error, idsOf(answer), message, inFlight);
    }
    this.onAccepted();
    // In a group, the next message may be given only after that. Else nothing waits for it.
    if (inGroup === undefined) void inFlight.delete(message.receiptHandle);
    else await inGroup.delete();
    return 'deleted';
  }
}

function seenAnswer(answer: Answer, { messageId, receiveCount }: ReceivedMessage, queueUrl: string): ReceivedAnswer {
  const { runId, stepId } = idsOf(answer);
  const { status } = answer.decision ?? answer.result;
  return { kind: answer.decision === undefined ? 'result' : 'decision', status, runId, stepId, messageId, receiveCount, queueUrl };
}
