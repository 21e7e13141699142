import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type Message,
  type QueueAttributeName,
} from '@aws-sdk/client-sqs';
import { QueueNotFoundError, SqsRequestError } from '../errors.ts';
import { withinTime } from '../time.ts';
import { type MessageAttributes, type TypedAttribute, typedAttribute } from '../wire/limits.ts';
import { entryOutcomes } from './entry-outcomes.ts';
import { type CallLimits, callLimits, type MessageCalls, type SdkClients, sdkCalls } from './message-calls.ts';
import { callError } from './result-sender.ts';
import { isIntact } from './signed-checksums.ts';
import type { OutgoingMessage, ReceivedMessage, ReceiveOptions, SqsApi, VisibilityChange } from './sqs-api.ts';

interface Limits {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** All of the SDK's own tries together. A connection that died silently would otherwise hold a call for many minutes. */
const CALL_TIMEOUT_MS = 30_000;

/** {@link SqsApi} on the AWS SDK, or with other calls for messages, which leave it to us to compare checksums. */
export function sdkApi(clients: SdkClients, otherCalls?: MessageCalls): SqsApi {
  const { client } = clients;
  const calls = otherCalls ?? sdkCalls(clients);
  const region = async () => {
    // A region may be missing where an endpoint is given; this is only for messages, so it never throws.
    try {
      return await client.config.region();
    } catch {
      return '(none)';
    }
  };

  /** Runs one call on a queue, ends it when its time is up, and translates what it throws. */
  async function call<T>(
    operation: string,
    queueUrl: string,
    send: (options: CallLimits) => Promise<T>,
    { timeoutMs = CALL_TIMEOUT_MS, signal }: Limits = {},
  ): Promise<T> {
    try {
      return await withinTime(
        timeoutMs,
        signal,
        (ends) => send(callLimits(timeoutMs, ends)),
        (cause) => new SqsRequestError(operation, 'TimeoutError', true, { cause }),
      );
    } catch (error) {
      throw callError(operation, queueUrl, await region(), error);
    }
  }

  async function findQueueUrl(queueName: string): Promise<string | undefined> {
    try {
      const command = new GetQueueUrlCommand({ QueueName: queueName });
      return (await call('GetQueueUrl', queueName, (options) => client.send(command, options))).QueueUrl;
    } catch (error) {
      if (error instanceof QueueNotFoundError) return undefined;
      throw error;
    }
  }

  return {
    region,

    async sendMessages(queueUrl, messages) {
      const Entries = messages.map((message, index) => ({ Id: String(index), ...sendFields(message) }));
      const input = { QueueUrl: queueUrl, Entries };
      const answer = await call('SendMessageBatch', queueUrl, (limits) => calls.sendMessageBatch(input, limits));
      if (otherCalls === undefined) return entryOutcomes(messages.length, answer);
      return entryOutcomes(messages.length, answer, (index, entry) => isIntact(messages[index], entry));
    },

    async receiveMessages(queueUrl, options, signal) {
      const input = { QueueUrl: queueUrl, ...receiveFields(options) };
      // The request must outlive the long poll, or every quiet poll would look like a failure.
      const timeoutMs = (options.waitTimeSeconds + 15) * 1000;
      const answer = await call('ReceiveMessage', queueUrl, (limits) => calls.receiveMessage(input, limits), { timeoutMs, signal });
      return (answer.Messages ?? []).flatMap(receivedMessage);
    },

    async deleteMessages(queueUrl, receiptHandles) {
      const Entries = receiptHandles.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle }));
      const input = { QueueUrl: queueUrl, Entries };
      const answer = await call('DeleteMessageBatch', queueUrl, (limits) => calls.deleteMessageBatch(input, limits));
      return entryOutcomes(receiptHandles.length, answer);
    },

    async changeVisibility(queueUrl, entries) {
      const input = { QueueUrl: queueUrl, Entries: entries.map(visibilityFields) };
      const answer = await call('ChangeMessageVisibilityBatch', queueUrl, (limits) => calls.changeMessageVisibilityBatch(input, limits));
      return entryOutcomes(entries.length, answer);
    },

    findQueueUrl,

    async createQueue(queueName, attributes) {
      try {
        const command = new CreateQueueCommand({ QueueName: queueName, Attributes: { ...attributes } });
        const answer = await call('CreateQueue', queueName, (options) => client.send(command, options));
        if (answer.QueueUrl !== undefined) return answer.QueueUrl;
      } catch (error) {
        // Somebody else created it with other attributes: theirs is the one to use.
        if (!(error instanceof SqsRequestError && /^Queue(NameExists|AlreadyExists)$/.test(error.sqsCode))) throw error;
      }
      const found = await findQueueUrl(queueName);
      if (found === undefined) throw new QueueNotFoundError(queueName, await region());
      return found;
    },

    async queueAttributes(queueUrl, names) {
      const command = new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: names.map(attributeName) });
      return (await call('GetQueueAttributes', queueUrl, (options) => client.send(command, options))).Attributes ?? {};
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

function sendFields({ body, attributes, groupId, deduplicationId }: OutgoingMessage) {
  return {
    MessageBody: body,
    ...(attributes === undefined ? {} : { MessageAttributes: attributeFields(attributes) }),
    ...(groupId === undefined ? {} : { MessageGroupId: groupId }),
    ...(deduplicationId === undefined ? {} : { MessageDeduplicationId: deduplicationId }),
  };
}

function attributeFields(attributes: MessageAttributes) {
  return Object.fromEntries(Object.entries(attributes).map(([name, attribute]) => [name, attributeField(typedAttribute(attribute))]));
}

function attributeField({ dataType, value }: TypedAttribute) {
  // Never a Buffer: that one turns itself into something else in JSON, before anybody can encode it.
  return typeof value === 'string'
    ? { DataType: dataType, StringValue: value }
    : { DataType: dataType, BinaryValue: new Uint8Array(value) };
}

function receiveFields({ maxMessages, waitTimeSeconds, visibilityTimeoutSeconds, attributeNames }: ReceiveOptions) {
  return {
    MaxNumberOfMessages: maxMessages,
    WaitTimeSeconds: waitTimeSeconds,
    MessageSystemAttributeNames: ['ApproximateReceiveCount' as const, 'MessageGroupId' as const, 'SentTimestamp' as const],
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
      ...(Attributes?.MessageGroupId === undefined ? {} : { groupId: Attributes.MessageGroupId }),
      ...(Attributes?.SentTimestamp === undefined ? {} : { sentAt: Number(Attributes.SentTimestamp) }),
    },
  ];
}
