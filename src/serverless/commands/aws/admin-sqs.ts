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
  SQSServiceException,
} from '@aws-sdk/client-sqs';
import { isMissingQueue, requestError } from '../../../sqs/request-errors.ts';
import { sdkFailure } from '../../../sqs/sdk-operations.ts';
import { boundedRequests } from './requests.ts';

/** Requests at the same time: AWS would throttle `GetQueueAttributes` in a large account otherwise. */
const REQUESTS_AT_ONCE = 10;

/**
 * The SQS calls of the commands: queues, and messages with all their attributes. A request that fails rejects with
 * `SqsRequestError`.
 */
export interface AdminSqs {
  /** Undefined where there is no queue of that name. */
  findQueueUrl(queueName: string): Promise<string | undefined>;
  /** URLs of all queues whose names start with the prefix. */
  listQueues(namePrefix: string): Promise<string[]>;
  /** All attributes of a queue. */
  attributes(queueUrl: string): Promise<Readonly<Record<string, string>>>;
  /** Gives the URL of the queue. */
  createQueue(queueName: string, attributes: Readonly<Record<string, string>>): Promise<string>;
  /** Up to ten messages with all their attributes; waits up to a second for the first. */
  receive(queueUrl: string, visibilityTimeoutSeconds: number): Promise<Message[]>;
  send(message: SendMessageCommandInput): Promise<void>;
  delete(queueUrl: string, receiptHandle: string): Promise<void>;
  /** Makes a received message visible again at once. */
  release(queueUrl: string, receiptHandle: string): Promise<void>;
  /** Deletes every message of a queue, those in flight included. */
  purge(queueUrl: string): Promise<void>;
  /** Closes the connections. */
  destroy(): void;
}

/** {@link AdminSqs} on the AWS SDK. */
export function sdkAdminSqs(config: SQSClientConfig): AdminSqs {
  const client = new SQSClient(config);
  const request = boundedRequests(REQUESTS_AT_ONCE, (operation, error) => requestError(operation, sdkFailure(error, SQSServiceException)));

  return {
    async findQueueUrl(queueName) {
      const command = new GetQueueUrlCommand({ QueueName: queueName });
      return (await request('GetQueueUrl', () => client.send(command).catch(undefinedWhereMissing)))?.QueueUrl;
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
        const answer = await request('ListQueues', () => client.send(command));
        urls.push(...(answer.QueueUrls ?? []));
        token = answer.NextToken;
      } while (token !== undefined && token !== '');
      return urls;
    },

    async attributes(queueUrl) {
      const command = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['All'] });
      return (await request('GetQueueAttributes', () => client.send(command))).Attributes ?? {};
    },

    async createQueue(queueName, attributes) {
      const command = new CreateQueueCommand({ QueueName: queueName, Attributes: { ...attributes } });
      const { QueueUrl } = await request('CreateQueue', () => client.send(command));
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
      return (await request('ReceiveMessage', () => client.send(command))).Messages ?? [];
    },

    async send(message) {
      await request('SendMessage', () => client.send(new SendMessageCommand(message)));
    },

    async delete(queueUrl, receiptHandle) {
      await request('DeleteMessage', () => client.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle: receiptHandle })));
    },

    async release(queueUrl, receiptHandle) {
      const command = new ChangeMessageVisibilityCommand({ QueueUrl: queueUrl, ReceiptHandle: receiptHandle, VisibilityTimeout: 0 });
      await request('ChangeMessageVisibility', () => client.send(command));
    },

    async purge(queueUrl) {
      await request('PurgeQueue', () => client.send(new PurgeQueueCommand({ QueueUrl: queueUrl })));
    },

    destroy: () => client.destroy(),
  };
}

function undefinedWhereMissing(error: unknown): undefined {
  if (isMissingQueue(sdkFailure(error, SQSServiceException))) return undefined;
  throw error;
}
