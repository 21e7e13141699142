import type { Message, MessageAttributeValue } from '@aws-sdk/client-sqs';
import { call, POLL_MARGIN_MS, sqsApi } from '../sqs/api-calls.ts';
import { type ClientOptions, openSqs } from '../sqs/open-sqs.ts';
import type { EntryOutcome } from '../sqs/sqs-api.ts';
import { isRecord } from '../wire/shape.ts';

/** The SQS calls of one mapping. */
export interface SourceQueue {
  readonly queueUrl: string;
  /** Messages with all their attributes, hidden for the queue's own visibility timeout. @param maxMessages 1 to 10 */
  receive(maxMessages: number, waitTimeSeconds: number): Promise<Message[]>;
  /** @param receiptHandles at most ten */
  deleteMessages(receiptHandles: readonly string[]): Promise<EntryOutcome[]>;
  visibilityTimeoutSeconds(): Promise<number>;
  region(): Promise<string>;
  /** Closes the connections. */
  destroy(): void;
}

/** {@link SourceQueue} on SQS. Long polls use connections of their own. */
export function openSourceQueue(queueUrl: string, options: ClientOptions): SourceQueue {
  const operations = openSqs(options);
  const api = sqsApi(operations);
  return {
    queueUrl,

    async receive(maxMessages, waitTimeSeconds) {
      const input = {
        QueueUrl: queueUrl,
        MaxNumberOfMessages: maxMessages,
        WaitTimeSeconds: waitTimeSeconds,
        MessageSystemAttributeNames: ['All' as const],
        MessageAttributeNames: ['All'],
      };
      const limits = { timeoutMs: waitTimeSeconds * 1000 + POLL_MARGIN_MS };
      const { Messages } = await call(operations, 'ReceiveMessage', queueUrl, input, limits);
      return Array.isArray(Messages) ? Messages.filter(isMessage).map(withBytes) : [];
    },

    deleteMessages: (receiptHandles) => api.deleteMessages(queueUrl, receiptHandles),

    async visibilityTimeoutSeconds() {
      return Number((await api.queueAttributes(queueUrl, ['VisibilityTimeout']))['VisibilityTimeout']);
    },

    async region() {
      // With an endpoint the region may be missing. It is used for ARNs only.
      try {
        return (await operations.region()) || 'us-east-1';
      } catch {
        return 'us-east-1';
      }
    },

    destroy: () => operations.destroy(),
  };
}

/** SQS always sets both ids; a message without them could not be deleted or named in a batch. */
function isMessage(value: unknown): value is Message {
  return isRecord(value) && typeof value['MessageId'] === 'string' && typeof value['ReceiptHandle'] === 'string';
}

/** The same with binary attributes as the SDK has them: signed requests leave them in base64. */
function withBytes(message: Message): Message {
  const { MessageAttributes } = message;
  if (MessageAttributes === undefined) return message;
  const decoded = Object.entries(MessageAttributes).map(([name, attribute]): [string, MessageAttributeValue] => {
    const bytes: unknown = attribute.BinaryValue;
    return [name, typeof bytes === 'string' ? { ...attribute, BinaryValue: Buffer.from(bytes, 'base64') } : attribute];
  });
  return { ...message, MessageAttributes: Object.fromEntries(decoded) };
}
