import {
  ChangeMessageVisibilityBatchCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type Message,
  type QueueAttributeName,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { QueueNotFoundError } from '../errors.ts';
import type { StringAttributes } from '../wire/limits.ts';
import { entryPasses, isMissingQueue, requestError } from './request-errors.ts';
import type { EntryOutcome, OutgoingMessage, ReceivedMessage, ReceiveOptions, SqsApi, VisibilityChange } from './sqs-api.ts';

export interface SdkClients {
  /** Sends, deletes and the rest. */
  readonly client: SQSClient;
  /** Long polls, which hold their connection for up to 20 s each: on a pool of their own they never stall a send. */
  readonly pollClient?: SQSClient;
}

/** {@link SqsApi} on the AWS SDK. */
export function sdkApi({ client, pollClient = client }: SdkClients): SqsApi {
  const region = async () => {
    // A region may be missing where an endpoint is given; this is only for messages, so it never throws.
    try {
      return await client.config.region();
    } catch {
      return '(none)';
    }
  };

  /** Runs one call on a queue and translates what it throws. */
  async function call<T>(operation: string, queueUrl: string, send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      if (isMissingQueue(error)) throw new QueueNotFoundError(queueUrl, await region(), { cause: error });
      throw requestError(operation, error);
    }
  }

  return {
    region,

    async sendMessages(queueUrl, messages) {
      const Entries = messages.map((message, index) => ({ Id: String(index), ...sendFields(message) }));
      const answer = await call('SendMessageBatch', queueUrl, () =>
        client.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries })),
      );
      return outcomes(messages.length, answer.Failed);
    },

    async receiveMessages(queueUrl, options, signal) {
      const command = new ReceiveMessageCommand({ QueueUrl: queueUrl, ...receiveFields(options) });
      const answer = await call('ReceiveMessage', queueUrl, () =>
        // The socket must outlive the long poll, or every quiet poll would look like a failure.
        pollClient.send(command, { requestTimeout: (options.waitTimeSeconds + 15) * 1000, ...(signal ? { abortSignal: signal } : {}) }),
      );
      return (answer.Messages ?? []).flatMap(receivedMessage);
    },

    async deleteMessages(queueUrl, receiptHandles) {
      const Entries = receiptHandles.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle }));
      const answer = await call('DeleteMessageBatch', queueUrl, () =>
        client.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries })),
      );
      return outcomes(receiptHandles.length, answer.Failed);
    },

    async changeVisibility(queueUrl, entries) {
      const Entries = entries.map(visibilityFields);
      const answer = await call('ChangeMessageVisibilityBatch', queueUrl, () =>
        client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: queueUrl, Entries })),
      );
      return outcomes(entries.length, answer.Failed);
    },

    async findQueueUrl(queueName) {
      try {
        return (await client.send(new GetQueueUrlCommand({ QueueName: queueName }))).QueueUrl;
      } catch (error) {
        if (isMissingQueue(error)) return undefined;
        throw requestError('GetQueueUrl', error);
      }
    },

    async createQueue(queueName, attributes) {
      try {
        const answer = await client.send(new CreateQueueCommand({ QueueName: queueName, Attributes: { ...attributes } }));
        if (answer.QueueUrl !== undefined) return answer.QueueUrl;
      } catch (error) {
        // Somebody else created it with other attributes: theirs is the one to use.
        if (!(error instanceof Error && /QueueNameExists|QueueAlreadyExists/.test(error.name))) throw requestError('CreateQueue', error);
      }
      const found = await this.findQueueUrl(queueName);
      if (found === undefined) throw new QueueNotFoundError(queueName, await region());
      return found;
    },

    async queueAttributes(queueUrl, names) {
      const command = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: names.map(attributeName) });
      return (await call('GetQueueAttributes', queueUrl, () => client.send(command))).Attributes ?? {};
    },
  };
}

const ATTRIBUTE_NAMES = {
  QueueArn: 'QueueArn',
  ApproximateNumberOfMessages: 'ApproximateNumberOfMessages',
  ApproximateNumberOfMessagesNotVisible: 'ApproximateNumberOfMessagesNotVisible',
  ApproximateNumberOfMessagesDelayed: 'ApproximateNumberOfMessagesDelayed',
} as const satisfies Record<string, QueueAttributeName>;

function attributeName(name: string): QueueAttributeName {
  const known = Object.values(ATTRIBUTE_NAMES).find((value) => value === name);
  if (known === undefined) throw new TypeError(`expected one of ${Object.keys(ATTRIBUTE_NAMES).join(', ')}, got ${name}`);
  return known;
}

function sendFields({ body, attributes, groupId }: OutgoingMessage) {
  return {
    MessageBody: body,
    ...(attributes === undefined ? {} : { MessageAttributes: attributeFields(attributes) }),
    ...(groupId === undefined ? {} : { MessageGroupId: groupId }),
  };
}

function attributeFields(attributes: StringAttributes) {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, { DataType: 'String', StringValue: value }]));
}

function receiveFields({ maxMessages, waitTimeSeconds, visibilityTimeoutSeconds, attributeNames }: ReceiveOptions) {
  return {
    MaxNumberOfMessages: maxMessages,
    WaitTimeSeconds: waitTimeSeconds,
    MessageSystemAttributeNames: ['ApproximateReceiveCount' as const],
    ...(visibilityTimeoutSeconds === undefined ? {} : { VisibilityTimeout: visibilityTimeoutSeconds }),
    ...(attributeNames === undefined || attributeNames.length === 0 ? {} : { MessageAttributeNames: [...attributeNames] }),
  };
}

function visibilityFields({ receiptHandle, timeoutSeconds }: VisibilityChange, index: number) {
  return { Id: String(index), ReceiptHandle: receiptHandle, VisibilityTimeout: timeoutSeconds };
}

function receivedMessage(message: Message): ReceivedMessage[] {
  const { MessageId, ReceiptHandle, Body, Attributes, MessageAttributes } = message;
  // SQS always sets both; without them there is nothing that could be deleted or named.
  if (MessageId === undefined || ReceiptHandle === undefined) return [];
  return [
    {
      messageId: MessageId,
      receiptHandle: ReceiptHandle,
      body: Body ?? '',
      receiveCount: Number(Attributes?.ApproximateReceiveCount ?? 1),
      attributeNames: Object.keys(MessageAttributes ?? {}),
    },
  ];
}

function outcomes(
  count: number,
  failed: readonly { Id?: string | undefined; Code?: string | undefined; SenderFault?: boolean | undefined }[] = [],
): EntryOutcome[] {
  const all: EntryOutcome[] = Array.from({ length: count }, () => ({ ok: true }));
  for (const { Id, Code = 'Unknown', SenderFault = true } of failed) {
    all[Number(Id)] = { ok: false, sqsCode: Code, passing: entryPasses(Code, SenderFault) };
  }
  return all;
}
