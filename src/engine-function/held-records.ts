import type { SQSRecord } from 'aws-lambda';
import { messageGroupOf, receiveCountOf } from '../lambda/records.ts';
import { errorFields, type Logger } from '../logger.ts';
import type { HeldMessages } from '../sqs/in-flight-messages.ts';
import type { ReceivedMessage, ResultSender, VisibilityChange } from '../sqs/sqs-api.ts';
import { queueUrlOfArn } from '../topology/queue-address.ts';
import { MAX_BATCH_ENTRIES } from '../wire/limits.ts';

/** A record as a poller would have received it. */
export function receivedMessage(record: SQSRecord): ReceivedMessage {
  const { messageId, receiptHandle, body, attributes, messageAttributes } = record;
  const groupId = messageGroupOf(record);
  return {
    messageId,
    receiptHandle,
    body,
    receiveCount: receiveCountOf(record),
    attributeNames: Object.keys(messageAttributes ?? {}),
    sentAt: Number(attributes?.SentTimestamp ?? 0),
    ...(groupId === undefined ? {} : { groupId }),
  };
}

/**
 * The records of one queue in an invocation, as messages. To delete one is to leave it out of the response; to release
 * one is to report it, and to say when it comes again.
 */
export class HeldRecords implements HeldMessages {
  readonly queueUrl: string;
  readonly #deleted = new Set<string>();
  readonly #released = new Map<string, number>();

  constructor(eventSourceArn: string) {
    this.queueUrl = queueUrlOfArn(eventSourceArn) ?? eventSourceArn;
  }

  isDeleted(receiptHandle: string): boolean {
    return this.#deleted.has(receiptHandle);
  }

  async delete(receiptHandle: string): Promise<void> {
    this.#deleted.add(receiptHandle);
  }

  async release(receiptHandle: string, delaySeconds: number): Promise<void> {
    this.#released.set(receiptHandle, delaySeconds);
  }

  letExpire(receiptHandle: string): void {
    this.#released.delete(receiptHandle);
  }

  /**
   * Tells SQS when what was released comes again. Never rejects: what fails comes after the visibility timeout of its
   * queue.
   */
  async tell(api: Pick<ResultSender, 'changeVisibility'>, logger: Logger): Promise<void> {
    const changes = [...this.#released].map(([receiptHandle, timeoutSeconds]): VisibilityChange => ({ receiptHandle, timeoutSeconds }));
    for (let from = 0; from < changes.length; from += MAX_BATCH_ENTRIES) {
      try {
        await api.changeVisibility(this.queueUrl, changes.slice(from, from + MAX_BATCH_ENTRIES));
      } catch (error) {
        logger.warn('records are redelivered only after the visibility timeout of their queue', errorFields(error));
        return;
      }
    }
  }
}
