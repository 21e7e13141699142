import type { Message, SendMessageCommandInput } from '@aws-sdk/client-sqs';
import type { SQSRecord } from 'aws-lambda';
import { PARKED_ATTRIBUTE } from '../../../lambda/parked-message.ts';
import { eventSource, sqsRecord } from '../../../local/sqs-event.ts';
import { isFifoQueue } from '../../../topology/fifo-queues.ts';

/** X-Ray's. Sent on, it would add a new task to an old trace, and Lambda's loop detection would count it. */
const TRACE_ATTRIBUTE = 'AWSTraceHeader';

/**
 * A dead letter as a message of its tasks queue again: body and message attributes as they were, without the
 * dead-letter handler's note.
 * @param deduplicationId a new one: SQS remembers the old one for five minutes, and would drop the message
 */
export function retryMessage(message: Message, tasksQueueUrl: string, deduplicationId: string): SendMessageCommandInput {
  const { Body = '', MessageAttributes = {}, Attributes = {} } = message;
  const groupId = Attributes.MessageGroupId;
  return {
    QueueUrl: tasksQueueUrl,
    MessageBody: Body,
    MessageAttributes: Object.fromEntries(
      ownAttributes(MessageAttributes).map(([name, { DataType, StringValue, BinaryValue }]) => [
        name,
        {
          DataType,
          ...(StringValue === undefined ? {} : { StringValue }),
          ...(BinaryValue === undefined ? {} : { BinaryValue: bytes(BinaryValue) }),
        },
      ]),
    ),
    ...(groupId === undefined ? {} : { MessageGroupId: groupId }),
    ...(isFifoQueue(tasksQueueUrl) ? { MessageDeduplicationId: deduplicationId } : {}),
  };
}

/** A dead letter as a record of its tasks queue, for `sls invoke local`. */
export function replayRecord(message: Message, tasksQueueUrl: string, region: string): SQSRecord {
  const { MessageAttributes = {}, Attributes = {}, MD5OfMessageAttributes: _md5, ...rest } = message;
  const { AWSTraceHeader: _trace, ApproximateReceiveCount: _count, DeadLetterQueueSourceArn: _source, ...system } = Attributes;
  const replayed = {
    ...rest,
    // SQS accepts no such handle: a replay can neither delete nor hide the message.
    ReceiptHandle: 'saved-by-serverless-durable-dead-letters',
    Attributes: { ...system, ApproximateReceiveCount: '1' },
    MessageAttributes: Object.fromEntries(ownAttributes(MessageAttributes)),
  };
  return sqsRecord(replayed, eventSource(tasksQueueUrl, region));
}

function ownAttributes<T>(attributes: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(attributes).filter(([name]) => name !== PARKED_ATTRIBUTE && name !== TRACE_ATTRIBUTE);
}

/** The SDK gives a Uint8Array. Through JSON, as from a mock, the bytes arrive as an object of numbers. */
function bytes(value: Uint8Array): Uint8Array {
  return value instanceof Uint8Array ? value : Uint8Array.from(Object.values<number>(value));
}
