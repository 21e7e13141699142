import { GetQueueAttributesCommand, type Message, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { type ClientOptions, separateConnections } from '../sqs/clients.ts';
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

/** {@link SourceQueue} on the AWS SDK; long polls have connections of their own. */
export function sdkSourceQueue(queueUrl: string, { client, clientConfig = {} }: ClientOptions): SourceQueue {
  const main = client ?? new SQSClient(clientConfig);
  const poll = client === undefined ? new SQSClient(clientConfig) : separateConnections(client);
  const api = sdkApi({ client: main });
  return {
    queueUrl,

    async receive(maxMessages, waitTimeSeconds) {
      const command = new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: maxMessages,
        WaitTimeSeconds: waitTimeSeconds,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      });
      // The request must outlive the long poll, or every quiet poll would look like a failure. The SDK's own timeout only logs.
      const answer = await poll.send(command, { abortSignal: AbortSignal.timeout((waitTimeSeconds + 15) * 1000) });
      // SQS always sets both; without them there is nothing that could be deleted or named.
      return (answer.Messages ?? []).filter(({ MessageId, ReceiptHandle }) => MessageId !== undefined && ReceiptHandle !== undefined);
    },

    deleteMessages: (receiptHandles) => api.deleteMessages(queueUrl, receiptHandles),

    async visibilityTimeoutSeconds() {
      const command = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['VisibilityTimeout'] });
      return Number((await main.send(command)).Attributes?.VisibilityTimeout);
    },

    async region() {
      // A region may be missing where an endpoint is given; it only shows in ARNs here.
      try {
        return await main.config.region();
      } catch {
        return 'us-east-1';
      }
    },

    destroy() {
      if (client === undefined) main.destroy();
      if (poll !== client) poll.destroy();
    },
  };
}
