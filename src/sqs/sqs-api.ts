import type { QueueAttributeName } from '@aws-sdk/client-sqs';
import type { MessageAttributes } from '../wire/limits.ts';

/**
 * The few SQS calls that this package makes: the seam between everything above and the network.
 *
 * A call that fails as a whole rejects with `SqsRequestError` or `QueueNotFoundError`. A batch call resolves with one
 * outcome per entry, in the order given: SQS answers 200 even where some entries failed.
 */
export interface SqsApi extends ResultSender {
  receiveMessages(queueUrl: string, options: ReceiveOptions, signal?: AbortSignal): Promise<ReceivedMessage[]>;
  /** @param receiptHandles at most ten */
  deleteMessages(queueUrl: string, receiptHandles: readonly string[]): Promise<EntryOutcome[]>;
  /** Gives undefined where there is no queue of that name, or none that these credentials may know of. */
  findQueueUrl(queueName: string): Promise<string | undefined>;
  /** Creates the queue, or finds the one that was created in the meantime. Gives its URL. */
  createQueue(queueName: string, attributes: Readonly<Record<string, string>>): Promise<string>;
  queueAttributes(queueUrl: string, names: readonly QueueAttributeName[]): Promise<Readonly<Record<string, string>>>;
  /** For error messages. */
  region(): Promise<string>;
}

/**
 * What a Lambda worker needs of SQS: to send, to give a record back at once, and to find a queue where only its name is
 * known.
 */
export interface ResultSender {
  /** @param messages at most ten, at most 1 MiB together */
  sendMessages(queueUrl: string, messages: readonly OutgoingMessage[]): Promise<EntryOutcome[]>;
  /** @param entries at most ten */
  changeVisibility(queueUrl: string, entries: readonly VisibilityChange[]): Promise<EntryOutcome[]>;
  findQueueUrl(queueName: string): Promise<string | undefined>;
  region(): Promise<string>;
}

export interface OutgoingMessage {
  readonly body: string;
  readonly attributes?: MessageAttributes;
  /** FIFO group; on a standard queue, the tenant of fair queues. */
  readonly groupId?: string;
  /**
   * FIFO only: SQS drops another message with the same id for five minutes. One per send, kept by the retries of that
   * send.
   */
  readonly deduplicationId?: string;
  /** How long SQS keeps it back, 0 to 900 seconds; standard queues only. */
  readonly delaySeconds?: number;
}

export interface ReceiveOptions {
  /** 1 to 10. */
  readonly maxMessages: number;
  /** Long poll, 0 to 20 seconds. */
  readonly waitTimeSeconds: number;
  /** How long what is received stays hidden; the queue's own value where absent. */
  readonly visibilityTimeoutSeconds?: number;
  /** Names of message attributes to ask for. */
  readonly attributeNames?: readonly string[];
}

export interface ReceivedMessage {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  /** SQS's count of deliveries, from 1. Not the engine's attempt. */
  readonly receiveCount: number;
  /** Names of the requested message attributes that the message carries. */
  readonly attributeNames: readonly string[];
  /** FIFO group (or tenant of fair queues) it was sent with. */
  readonly groupId?: string;
  /** When SQS accepted it, epoch milliseconds of SQS's clock. */
  readonly sentAt?: number;
}

export interface VisibilityChange {
  readonly receiptHandle: string;
  readonly timeoutSeconds: number;
}

/** How one entry of a batch request ended. `transient`: worth another try. */
export type EntryOutcome = { readonly ok: true } | { readonly ok: false; readonly sqsCode: string; readonly transient: boolean };
