import type { Message, MessageAttributeValue } from '@aws-sdk/client-sqs';
import type { SQSMessageAttribute, SQSMessageAttributes, SQSRecord, SQSRecordAttributes } from 'aws-lambda';
import { queueArn, regionOfHost } from '../topology/queue-address.ts';

/** The queue that a message came from. */
export interface EventSource {
  readonly arn: string;
  readonly region: string;
}

/** Account of queues and functions on an emulator. */
export const LOCAL_ACCOUNT = '000000000000';

/**
 * ARN and region of a queue, from its URL. `fallbackRegion` is the region where the URL has none, as on an emulator.
 * @throws TypeError where `queueUrl` is not a URL
 */
export function eventSource(queueUrl: string, fallbackRegion: string): EventSource {
  const { hostname, pathname } = new URL(queueUrl);
  const region = regionOfHost(hostname) ?? fallbackRegion;
  const path = pathname.split('/').filter((part) => part !== '');
  const name = path.at(-1) ?? '';
  return { arn: queueArn({ region, account: path.at(-2) ?? LOCAL_ACCOUNT, name }), region };
}

/** The record that Lambda makes of a message, which must have been received with all its attributes. */
export function sqsRecord(message: Message, source: EventSource): SQSRecord {
  return {
    messageId: message.MessageId ?? '',
    receiptHandle: message.ReceiptHandle ?? '',
    body: message.Body ?? '',
    attributes: systemAttributes(message.Attributes ?? {}),
    messageAttributes: messageAttributes(message.MessageAttributes ?? {}),
    ...(message.MD5OfMessageAttributes === undefined ? {} : { md5OfMessageAttributes: message.MD5OfMessageAttributes }),
    md5OfBody: message.MD5OfBody ?? '',
    eventSource: 'aws:sqs',
    eventSourceARN: source.arn,
    awsRegion: source.region,
  };
}

const OPTIONAL_ATTRIBUTES = [
  'AWSTraceHeader',
  'DeadLetterQueueSourceArn',
  'MessageDeduplicationId',
  'MessageGroupId',
  'SequenceNumber',
] as const satisfies readonly (keyof SQSRecordAttributes)[];

// AWS always sends the first four. An emulator may leave one out, and a handler that reads it must still find a text.
function systemAttributes(attributes: Readonly<Record<string, string>>): SQSRecordAttributes {
  const sent = attributes['SentTimestamp'] ?? '0';
  const record: SQSRecordAttributes = {
    ApproximateReceiveCount: attributes['ApproximateReceiveCount'] ?? '1',
    SentTimestamp: sent,
    SenderId: attributes['SenderId'] ?? LOCAL_ACCOUNT,
    ApproximateFirstReceiveTimestamp: attributes['ApproximateFirstReceiveTimestamp'] ?? sent,
  };
  for (const name of OPTIONAL_ATTRIBUTES) {
    const value = attributes[name];
    if (value !== undefined) record[name] = value;
  }
  return record;
}

function messageAttributes(attributes: Readonly<Record<string, MessageAttributeValue>>): SQSMessageAttributes {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, messageAttribute(value)]));
}

function messageAttribute({ StringValue, BinaryValue, DataType }: MessageAttributeValue): SQSMessageAttribute {
  return {
    ...(StringValue === undefined ? {} : { stringValue: StringValue }),
    ...(BinaryValue === undefined ? {} : { binaryValue: Buffer.from(BinaryValue).toString('base64') }),
    stringListValues: [],
    binaryListValues: [],
    dataType: DataType ?? 'String',
  };
}
