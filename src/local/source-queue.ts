import { GetQueueAttributesCommand, type Message } from '@aws-sdk/client-sqs';
import { type ClientOptions, openCalls } from '../sqs/clients.ts';
import { callLimits, sdkCalls } from '../sqs/message-calls.ts';
import { sdkApi } from '../sqs/sdk-api.ts';
import type { EntryOutcome } from '../sqs/sqs-api.ts';

/** The queue of one mapping: what its loop needs of SQS, and the seam for its tests. */
export interface SourceQueue {
  readonly queueUrl: string;
  /** Messages with all their attributes, hidden for the queue's own visibility timeout. @param maxMessages 1 to 10 */
  receive(maxMessages: number, waitTimeSeconds: number): Promise<Message[]>;
  /** @param receiptHandles at most ten */
  deleteMessages(receiptHandles: readonly string[]): Promise<EntryOutcome[]>;
  visibilityTimeoutSeconds(): Promise<number>;
  region(): Promise<string>;
  /** Closes the connections that were made here. */
  destroy(): void;
}

/** {@link SourceQueue} on SQS; long polls have connections of their own. */
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
      // The socket must outlive the long poll, or every quiet poll would look like a failure.
      const timeoutMs = (waitTimeSeconds + 15) * 1000;
      const answer = await calls.receiveMessage(input, callLimits(timeoutMs));
      // SQS always sets both; without them there is nothing that could be deleted or named.
      return (answer.Messages ?? []).filter(({ MessageId, ReceiptHandle }) => MessageId !== undefined && ReceiptHandle !== undefined);
    },

    deleteMessages: (receiptHandles) => api.deleteMessages(queueUrl, receiptHandles),

    async visibilityTimeoutSeconds() {
      const command = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['VisibilityTimeout'] });
      return Number((await client.send(command)).Attributes?.VisibilityTimeout);
    },

    async region() {
      // A region may be missing where an endpoint is given; it only shows in ARNs here.
      try {
        return await client.config.region();
      } catch {
        return 'us-east-1';
      }
    },

    destroy,
  };
}
