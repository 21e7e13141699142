import type { ChangeMessageVisibilityBatchRequest, GetQueueUrlRequest, SendMessageBatchRequest } from '@aws-sdk/client-sqs';
import { QueueNotFoundError, type SqsRequestError } from '../errors.ts';
import { type MessageAttribute, typedAttribute } from '../wire/limits.ts';
import { type BatchAnswer, entryOutcomes } from './entry-outcomes.ts';
import { isMissingQueue, requestError } from './request-errors.ts';
import { isIntact } from './signed-checksums.ts';
import type { OutgoingMessage, ResultSender } from './sqs-api.ts';

/** The three calls of SQS that a {@link ResultSender} makes, with their inputs as SQS has them. They reject with {@link callError}s. */
export interface SenderCalls {
  sendMessageBatch(input: SendMessageBatchRequest): Promise<BatchAnswer>;
  changeMessageVisibilityBatch(input: ChangeMessageVisibilityBatchRequest): Promise<BatchAnswer>;
  getQueueUrl(input: GetQueueUrlRequest): Promise<{ readonly QueueUrl?: unknown }>;
  region(): Promise<string>;
}

export function resultSender(calls: SenderCalls): ResultSender {
  return {
    region: calls.region,

    async sendMessages(queueUrl, messages) {
      const Entries = messages.map((message, index) => ({ Id: String(index), ...messageFields(message) }));
      const answer = await calls.sendMessageBatch({ QueueUrl: queueUrl, Entries });
      return entryOutcomes(messages.length, answer, (index, entry) => isIntact(messages[index], entry));
    },

    async changeVisibility(queueUrl, entries) {
      const Entries = entries.map(({ receiptHandle, timeoutSeconds }, index) => {
        return { Id: String(index), ReceiptHandle: receiptHandle, VisibilityTimeout: timeoutSeconds };
      });
      return entryOutcomes(entries.length, await calls.changeMessageVisibilityBatch({ QueueUrl: queueUrl, Entries }));
    },

    async findQueueUrl(queueName) {
      try {
        const { QueueUrl } = await calls.getQueueUrl({ QueueName: queueName });
        return typeof QueueUrl === 'string' ? QueueUrl : undefined;
      } catch (error) {
        if (error instanceof QueueNotFoundError) return undefined;
        throw error;
      }
    },
  };
}

/** What a call that failed as a whole rejects with. */
export function callError(operation: string, queue: string, region: string, error: unknown): SqsRequestError | QueueNotFoundError {
  if (error instanceof QueueNotFoundError) return error;
  return isMissingQueue(error, operation) ? new QueueNotFoundError(queue, region, { cause: error }) : requestError(operation, error);
}

function messageFields({ body, attributes, groupId, deduplicationId }: OutgoingMessage) {
  return {
    MessageBody: body,
    // What is undefined is left out of the request.
    MessageAttributes: attributes && Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, attributeFields(value)])),
    MessageGroupId: groupId,
    MessageDeduplicationId: deduplicationId,
  };
}

function attributeFields(attribute: MessageAttribute) {
  const { dataType, value } = typedAttribute(attribute);
  // Never a Buffer: that one turns itself into something else in JSON, before anybody can encode it.
  return typeof value === 'string'
    ? { DataType: dataType, StringValue: value }
    : { DataType: dataType, BinaryValue: new Uint8Array(value) };
}
