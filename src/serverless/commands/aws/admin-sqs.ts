import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  type Message,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SendMessageCommandInput,
  SQSClient,
  type SQSClientConfig,
} from '@aws-sdk/client-sqs';
import { isMissingQueue, requestError } from '../../../sqs/request-errors.ts';
import { bounded } from './bounded.ts';

/** Requests at the same time: `GetQueueAttributes` of a large account would be throttled otherwise. */
const REQUESTS_AT_ONCE = 10;

/**
 * The SQS calls of the commands: messages with all that is on them, and whole queues. A request that fails rejects with
 * `SqsRequestError`.
 */
export interface AdminSqs {
  /** Undefined where there is no queue of that name. */
  findQueueUrl(queueName: string): Promise<string | undefined>;
  /** URLs of all queues whose name starts so. */
  listQueues(namePrefix: string): Promise<string[]>;
  /** All attributes. */
  attributes(queueUrl: string): Promise<Readonly<Record<string, string>>>;
  /** Gives the URL. */
  createQueue(queueName: string, attributes: Readonly<Record<string, string>>): Promise<string>;
  /** Up to ten messages with all their attributes; waits a second for the first. */
  receive(queueUrl: string, visibilityTimeoutSeconds: number): Promise<Message[]>;
  send(message: SendMessageCommandInput): Promise<void>;
  delete(queueUrl: string, receiptHandle: string): Promise<void>;
  /** Makes a received message visible at once. */
  release(queueUrl: string, receiptHandle: string): Promise<void>;
  /** Deletes every message, those in flight included. */
  purge(queueUrl: string): Promise<void>;
  /** Closes the connections. */
  destroy(): void;
}

/** {@link AdminSqs} on the AWS SDK. */
export function sdkAdminSqs(config: SQSClientConfig): AdminSqs {
  const client = new SQSClient(config);
  const inTurn = bounded(REQUESTS_AT_ONCE);

  async function call<T>(operation: string, send: () => Promise<T>): Promise<T> {
    try {
      return await inTurn(send);
    } catch (error) {
      throw requestError(operation, error);
    }
  }

  return {
    async findQueueUrl(queueName) {
      try {
        return (await inTurn(() => client.send(new GetQueueUrlCommand({ QueueName: queueName })))).QueueUrl;
      } catch (error) {
        if (isMissingQueue(error)) return undefined;
        throw requestError('GetQueueUrl', error);
      }
    },

    async listQueues(namePrefix) {
      const urls: string[] = [];
      let token: string | undefined;
      do {
        const command = new ListQueuesCommand({
          QueueNamePrefix: namePrefix,
          MaxResults: 1_000,
          ...(token === undefined ? {} : { NextToken: token }),
        });
        const answer = await call('ListQueues', () => client.send(command));
        urls.push(...(answer.QueueUrls ?? []));
        token = answer.NextToken;
      } while (token !== undefined && token !== '');
      return urls;
    },

    async attributes(queueUrl) {
      const command = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['All'] });
      return (await call('GetQueueAttributes', () => client.send(command))).Attributes ?? {};
    },

    async createQueue(queueName, attributes) {
      const command = new CreateQueueCommand({ QueueName: queueName, Attributes: { ...attributes } });
      const { QueueUrl } = await call('CreateQueue', () => client.send(command));
      if (QueueUrl === undefined) throw new TypeError(`CreateQueue gave no URL for queue "${queueName}"`);
      return QueueUrl;
    },

    async receive(queueUrl, visibilityTimeoutSeconds) {
      const command = new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: 10,
        VisibilityTimeout: visibilityTimeoutSeconds,
        // A short poll asks only some of SQS's servers, and would show half a queue.
        WaitTimeSeconds: 1,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      });
      return (await call('ReceiveMessage', () => client.send(command))).Messages ?? [];
    },

    async send(message) {
      await call('SendMessage', () => client.send(new SendMessageCommand(message)));
    },

    async delete(queueUrl, receiptHandle) {
      await call('DeleteMessage', () => client.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: receiptHandle })));
    },

    async release(queueUrl, receiptHandle) {
      const command = new ChangeMessageVisibilityCommand({ QueueUrl: queueUrl, ReceiptHandle: receiptHandle, VisibilityTimeout: 0 });
      await call('ChangeMessageVisibility', () => client.send(command));
    },

    async purge(queueUrl) {
      await call('PurgeQueue', () => client.send(new PurgeQueueCommand({ QueueUrl: queueUrl })));
    },

    destroy: () => client.destroy(),
  };
}
