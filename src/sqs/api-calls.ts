import type { ChangeMessageVisibilityBatchRequestEntry, ReceiveMessageRequest, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs';
import { QueueNotFoundError, SqsRequestError } from '../errors.ts';
import { withinTime } from '../time.ts';
import { type MessageAttributes, typedAttribute } from '../wire/limits.ts';
import { isRecord } from '../wire/shape.ts';
import { callError, isTransientEntry, shortCode } from './request-errors.ts';
import type { EntryOutcome, OutgoingMessage, ReceivedMessage, ReceiveOptions, ResultSender, SqsApi } from './sqs-api.ts';
import type { Answer, Operation, OperationInputs, SqsOperations, WorkerOperation } from './sqs-operations.ts';

/** All tries of a call together. A connection that died silently would otherwise hold it for many minutes. */
const CALL_TIMEOUT_MS = 30_000;
/** A receive must outlive its long poll, or every quiet poll would look like a failure. */
export const POLL_MARGIN_MS = 15_000;

/** The part of {@link sqsApi} that a Lambda worker needs: its bundle holds nothing else. */
export function resultSender(operations: SqsOperations<WorkerOperation>): ResultSender {
  return {
    region: () => regionOf(operations),

    async sendMessages(queueUrl, messages) {
      const Entries = messages.map(sendEntry);
      return entryOutcomes(messages.length, await call(operations, 'SendMessageBatch', queueUrl, { QueueUrl: queueUrl, Entries }));
    },

    async changeVisibility(queueUrl, changes) {
      const Entries = changes.map(({ receiptHandle, timeoutSeconds }, index): ChangeMessageVisibilityBatchRequestEntry => {
        return { Id: String(index), ReceiptHandle: receiptHandle, VisibilityTimeout: timeoutSeconds };
      });
      const answer = await call(operations, 'ChangeMessageVisibilityBatch', queueUrl, { QueueUrl: queueUrl, Entries });
      return entryOutcomes(changes.length, answer);
    },

    async findQueueUrl(queueName) {
      try {
        return urlIn('GetQueueUrl', await call(operations, 'GetQueueUrl', queueName, { QueueName: queueName }));
      } catch (error) {
        if (error instanceof QueueNotFoundError) return undefined;
        throw error;
      }
    },
  };
}

/** {@link SqsApi} on raw calls of SQS: entries, outcomes, time limits and errors. */
export function sqsApi(operations: SqsOperations): SqsApi {
  const sender = resultSender(operations);
  return {
    ...sender,

    async receiveMessages(queueUrl, options, signal) {
      const limits = { timeoutMs: options.waitTimeSeconds * 1000 + POLL_MARGIN_MS, signal };
      const answer = await call(operations, 'ReceiveMessage', queueUrl, receiveInput(queueUrl, options), limits);
      return receivedMessages(answer);
    },

    async deleteMessages(queueUrl, receiptHandles) {
      const Entries = receiptHandles.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle }));
      const answer = await call(operations, 'DeleteMessageBatch', queueUrl, { QueueUrl: queueUrl, Entries });
      return entryOutcomes(receiptHandles.length, answer);
    },

    async createQueue(queueName, attributes) {
      try {
        const input = { QueueName: queueName, Attributes: { ...attributes } };
        return urlIn('CreateQueue', await call(operations, 'CreateQueue', queueName, input));
      } catch (error) {
        // Somebody else created it with other attributes: theirs is the one to use.
        if (!(error instanceof SqsRequestError && /^Queue(NameExists|AlreadyExists)$/.test(error.sqsCode))) throw error;
      }
      const found = await sender.findQueueUrl(queueName);
      if (found === undefined) throw new QueueNotFoundError(queueName, await regionOf(operations));
      return found;
    },

    async queueAttributes(queueUrl, names) {
      const input = { QueueUrl: queueUrl, AttributeNames: [...names] };
      const { Attributes } = await call(operations, 'GetQueueAttributes', queueUrl, input);
      if (!isRecord(Attributes)) throw unreadable('GetQueueAttributes');
      return Object.fromEntries(Object.entries(Attributes).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])));
    },
  };
}

interface Limits {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * One call on a queue, ended when its time is up; what it rejects with is an error of ours.
 * @param queue its URL or name, for errors
 */
export async function call<Name extends Operation>(
  operations: SqsOperations<Name>,
  operation: Name,
  queue: string,
  input: OperationInputs[Name],
  { timeoutMs = CALL_TIMEOUT_MS, signal }: Limits = {},
): Promise<Answer> {
  try {
    return await withinTime(
      timeoutMs,
      signal,
      (ends) => operations.call(operation, input, ends),
      (cause) => new SqsRequestError(operation, 'TimeoutError', true, { cause }),
    );
  } catch (error) {
    throw await callError(operation, queue, error, () => regionOf(operations));
  }
}

/** A region may be missing where an endpoint is given; this is only for messages, so it never throws. */
async function regionOf(operations: Pick<SqsOperations, 'region'>): Promise<string> {
  try {
    return (await operations.region()) || '(none)';
  } catch {
    return '(none)';
  }
}

function sendEntry(
  { body, attributes, groupId, deduplicationId, delaySeconds }: OutgoingMessage,
  index: number,
): SendMessageBatchRequestEntry {
  return {
    Id: String(index),
    MessageBody: body,
    // What is undefined is left out of the request.
    MessageAttributes: attributes && attributeFields(attributes),
    MessageGroupId: groupId,
    MessageDeduplicationId: deduplicationId,
    DelaySeconds: delaySeconds,
  };
}

function attributeFields(attributes: MessageAttributes): SendMessageBatchRequestEntry['MessageAttributes'] {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, attribute]) => {
      const { dataType: DataType, value } = typedAttribute(attribute);
      // Never a Buffer: that one turns itself into something else in JSON, before anybody can encode it.
      return [name, typeof value === 'string' ? { DataType, StringValue: value } : { DataType, BinaryValue: new Uint8Array(value) }];
    }),
  );
}

/**
 * Outcomes by position. What SQS names neither as successful nor as failed counts as failed: better twice than never.
 */
function entryOutcomes(count: number, { Successful, Failed }: Answer): EntryOutcome[] {
  const outcomes = new Array<EntryOutcome>(count).fill({ ok: false, sqsCode: 'NoOutcome', transient: true });
  const each = (entries: unknown, outcomeOf: (entry: Answer) => EntryOutcome) => {
    for (const entry of Array.isArray(entries) ? entries : []) {
      if (isRecord(entry) && Number(entry['Id']) in outcomes) outcomes[Number(entry['Id'])] = outcomeOf(entry);
    }
  };
  each(Successful, () => ({ ok: true }));
  each(Failed, ({ Code, SenderFault }) => {
    const sqsCode = typeof Code === 'string' ? shortCode(Code) : 'Unknown';
    return { ok: false, sqsCode, transient: isTransientEntry(sqsCode, SenderFault !== false) };
  });
  return outcomes;
}

function urlIn(operation: Operation, { QueueUrl }: Answer): string {
  if (typeof QueueUrl !== 'string') throw unreadable(operation);
  return QueueUrl;
}

function unreadable(operation: Operation): SqsRequestError {
  return new SqsRequestError(operation, 'UnreadableAnswer', true);
}

function receiveInput(queueUrl: string, options: ReceiveOptions): ReceiveMessageRequest {
  const { maxMessages, waitTimeSeconds, visibilityTimeoutSeconds, attributeNames = [] } = options;
  return {
    QueueUrl: queueUrl,
    MaxNumberOfMessages: maxMessages,
    WaitTimeSeconds: waitTimeSeconds,
    VisibilityTimeout: visibilityTimeoutSeconds,
    MessageSystemAttributeNames: ['ApproximateReceiveCount', 'MessageGroupId', 'SentTimestamp'],
    MessageAttributeNames: attributeNames.length === 0 ? undefined : [...attributeNames],
  };
}

function receivedMessages({ Messages }: Answer): ReceivedMessage[] {
  const received: ReceivedMessage[] = [];
  for (const message of Array.isArray(Messages) ? Messages : []) {
    const { MessageId, ReceiptHandle, Body, Attributes, MessageAttributes }: Answer = isRecord(message) ? message : {};
    // SQS always sets both; without them there is nothing that could be deleted or named.
    if (typeof MessageId !== 'string' || typeof ReceiptHandle !== 'string') continue;
    const { ApproximateReceiveCount = 1, MessageGroupId, SentTimestamp }: Answer = isRecord(Attributes) ? Attributes : {};
    received.push({
      messageId: MessageId,
      receiptHandle: ReceiptHandle,
      body: typeof Body === 'string' ? Body : '',
      receiveCount: Number(ApproximateReceiveCount),
      attributeNames: isRecord(MessageAttributes) ? Object.keys(MessageAttributes) : [],
      ...(typeof MessageGroupId === 'string' ? { groupId: MessageGroupId } : {}),
      ...(SentTimestamp === undefined ? {} : { sentAt: Number(SentTimestamp) }),
    });
  }
  return received;
}
