import { GetQueueAttributesCommand, type Message } from '@aws-sdk/client-sqs';
import { type ClientOptions, openCalls } from '../sqs/clients.ts';
import { callLimits, sdkCalls } from '../sqs/message-calls.ts';
import { sdkApi } from '../sqs/sdk-api.ts';
import type { EntryOutcome } from '../sqs/sqs-api.ts';

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
export function sdkSourceQueue(queueUrl: string, options: ClientOptions): SourceQueue {
  const { client, calls: direct, pollClient, destroy } = openCalls(options);
  const calls = direct ?? sdkCalls({ client, pollClient: pollClient() });
  const api = sdkApi({ client }, calls);
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
      // Longer than the poll itself, or every poll of an empty queue would time out.
      const timeoutMs = (waitTimeSeconds + 15) * 1000;
      const answer = await calls.receiveMessage(input, callLimits(timeoutMs));
      // SQS always sets both; a message without them could not be deleted or named in a batch.
      return (answer.Messages ?? []).filter(({ MessageId, ReceiptHandle }) => MessageId !== undefined && ReceiptHandle !== undefined);
    },

    deleteMessages: (receiptHandles) => api.deleteMessages(queueUrl, receiptHandles),

    async visibilityTimeoutSeconds() {
      const command = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['VisibilityTimeout'] });
      return Number((await client.send(command)).Attributes?.VisibilityTimeout);
    },

    async region() {
      // With an endpoint the region may be missing. It is used for ARNs only.
      try {
        return await client.config.region();
      } catch {
        return 'us-east-1';
      }
    },

    destroy,
  };
}
