import {
  AwaitedElsewhereError,
  InvalidMessageError,
  NamespaceMismatchError,
  PayloadStoreError,
  ResultRefusedError,
  TransportClosedError,
} from '../../errors.ts';
import { errorFields, type Logger } from '../../logger.ts';
import type { HeldMessages } from '../../sqs/in-flight-messages.ts';
import type { Disposition } from '../../sqs/message-groups.ts';
import { backoffMs } from '../../sqs/retry.ts';
import type { ReceivedMessage } from '../../sqs/sqs-api.ts';
import type { Timing } from '../../time.ts';
import { isFifoQueue } from '../../topology/fifo-queues.ts';
import { RecentIds } from '../engine/recent-ids.ts';
import type { StepIds } from '../engine/turns.ts';

const BACKOFF = { firstMs: 1_000, maxMs: 15 * 60_000 };
/** After hours of rejections. So the receives of a lone result last for days. */
const LATE_BACKOFF = { firstMs: 1_000, maxMs: 60 * 60_000 };
const LATE_RECEIVES = 20;
/** As many as it takes, mostly, for a result to reach the right one of two engines. */
const AT_ONCE_RECEIVES = 3;
/**
 * The same where every instance stands back for a moment from the second on (`stand-back.ts`), so others come first.
 */
const AWAITED_AT_ONCE_RECEIVES = 40;
/**
 * A message that is bound for the dead-letter queue shuts its run's message group on a FIFO queue, so its receives are
 * used up soon.
 */
const DEAD_ON_FIFO_SECONDS = 1;
/** One that is forgotten is deleted when it comes again: the engine then has an answer to its step. */
const REMEMBERED_REFUSALS = 1_000;
const SHARED_QUEUE =
  'results of another namespace come by this results queue, and are redelivered until its engine has them. Give the engine of each namespace a ' +
  'results queue of its own: a prefix, a namespace or a resultsQueueUrl of its transport';

export interface RedeliveryOptions {
  readonly onError: (error: unknown, queueUrl: string | undefined) => void;
  readonly logger: Logger;
  readonly timing: Timing;
}

/** Decides what becomes of a result's message that is not deleted, and tells why. */
export class Redelivery {
  readonly #options: RedeliveryOptions;
  /** Messages whose value the store refuses, and whose step was failed for it. */
  readonly #refused = new RecentIds(REMEMBERED_REFUSALS);
  #toldOfNamespaces = false;

  constructor(options: RedeliveryOptions) {
    this.#options = options;
  }

  /** Its step was failed, so it is of use to a person only. */
  isRefused({ messageId }: ReceivedMessage): boolean {
    return this.#refused.has(messageId);
  }

  /** It could not be read or decoded. */
  unreadable(error: unknown, message: ReceivedMessage, inFlight: HeldMessages): Promise<Disposition> {
    const { logger, onError } = this.#options;
    const { messageId, receiveCount } = message;
    if (error instanceof InvalidMessageError) {
      logger.error('message is not a StepResult; left for the dead-letter queue', { messageId, receiveCount, problem: error.problem });
      return leaveForDeadLetters(message, inFlight);
    }
    const delaySeconds = this.#delaySeconds(receiveCount);
    const fields = { messageId, receiveCount, ...errorFields(error), delaySeconds };
    logger.error('the stored body of a result cannot be read; it will be redelivered', fields);
    onError(error, undefined);
    // One that is gone may stay so until its receives are used up: the other results of its run neither wait for it nor
    // go with it.
    const isGone = error instanceof PayloadStoreError && !error.transient;
    return isGone ? skip(message, inFlight, delaySeconds) : redeliver(message, inFlight, delaySeconds);
  }

  /** The engine has not accepted it. */
  rejected(error: unknown, { runId, stepId }: StepIds, message: ReceivedMessage, inFlight: HeldMessages): Promise<Disposition> {
    // Closed while it was held: nobody has seen it, so another instance may have it at once.
    if (error instanceof TransportClosedError) return redeliver(message, inFlight, 0);
    if (error instanceof AwaitedElsewhereError) {
      return redeliver(message, inFlight, this.#afterReceives(message, AWAITED_AT_ONCE_RECEIVES));
    }
    if (error instanceof NamespaceMismatchError) {
      if (!this.#toldOfNamespaces) this.#options.logger.warn(SHARED_QUEUE, { runId: error.runId });
      this.#toldOfNamespaces = true;
      // The other engine may have it at once. But it may be away for long.
      return redeliver(message, inFlight, this.#afterReceives(message, AT_ONCE_RECEIVES));
    }
    const { logger, onError } = this.#options;
    const { messageId, receiveCount } = message;
    const fields = { runId, stepId, messageId, receiveCount, ...errorFields(error) };
    onError(error, undefined);
    if (error instanceof ResultRefusedError) {
      logger.error("the engine's store refuses a result; its message is left for the dead-letter queue", fields);
      this.#refused.add(messageId);
      return leaveForDeadLetters(message, inFlight);
    }
    const delaySeconds = this.#delaySeconds(receiveCount);
    logger.error('the engine rejected a result; it will be redelivered', { ...fields, delaySeconds });
    return redeliver(message, inFlight, delaySeconds);
  }

  /** The engine has rejected it, but its message was deleted within the turn. */
  turnFailed(error: unknown, { runId, stepId }: StepIds, { messageId, receiveCount }: ReceivedMessage): Disposition {
    const { logger, onError } = this.#options;
    onError(error, undefined);
    const fields = { runId, stepId, messageId, receiveCount, ...errorFields(error) };
    logger.error('the turn that a result began failed after the result was saved', fields);
    return 'deleted';
  }

  /** None for the first receives, and then ever more. */
  #afterReceives({ receiveCount }: ReceivedMessage, atOnce: number): number {
    return receiveCount <= atOnce ? 0 : this.#delaySeconds(receiveCount - atOnce);
  }

  #delaySeconds(failures: number): number {
    const backoff = failures > LATE_RECEIVES ? LATE_BACKOFF : BACKOFF;
    return Math.ceil(backoffMs(Math.max(1, failures), backoff, this.#options.timing.random) / 1000);
  }
}

/** It is redelivered, and holds up nothing of its group meanwhile. */
export async function skip(message: ReceivedMessage, inFlight: HeldMessages, delaySeconds: number): Promise<Disposition> {
  await inFlight.release(message.receiptHandle, delaySeconds);
  return 'skipped';
}

/** It is redelivered until its receives are used up and SQS moves it to the dead-letter queue. */
export async function leaveForDeadLetters(message: ReceivedMessage, inFlight: HeldMessages): Promise<Disposition> {
  if (isFifoQueue(inFlight.queueUrl)) return skip(message, inFlight, DEAD_ON_FIFO_SECONDS);
  inFlight.letExpire(message.receiptHandle);
  return 'skipped';
}

async function redeliver(message: ReceivedMessage, inFlight: HeldMessages, delaySeconds: number): Promise<Disposition> {
  await inFlight.release(message.receiptHandle, delaySeconds);
  return { redeliveredInSeconds: delaySeconds };
}
