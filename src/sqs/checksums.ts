import { createHash, type Hash, hash } from 'node:crypto';
import type { MessageAttributeValue, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs';
import { SqsRequestError } from '../errors.ts';
import { isRecord } from '../wire/shape.ts';
import type { Answer } from './sqs-operations.ts';

/** MD5 checksums, by which both sides notice a message that was changed on its way. A build of Node without MD5 (FIPS) compares nothing. */

const STRING_VALUE = 1;
const BINARY_VALUE = 2;

/**
 * The answer to a `SendMessageBatch`, with those entries as failed whose checksums are not those of their messages: such a message is in
 * the queue, and the whole one is sent after it. What an answer does not mention, as an emulator may, says nothing against a message.
 */
export function withoutCorruptedSends(sent: readonly SentEntry[], answer: Answer): Answer {
  const { Successful, Failed } = answer;
  if (!Array.isArray(Successful)) return answer;
  const corrupted: unknown[] = [];
  const intact: unknown[] = [];
  for (const entry of Successful) {
    if (isRecord(entry) && !isIntact(sent[Number(entry['Id'])], entry)) {
      corrupted.push({ Id: entry['Id'], Code: 'ChecksumMismatch', SenderFault: false });
    } else intact.push(entry);
  }
  if (corrupted.length === 0) return answer;
  return { Successful: intact, Failed: [...(Array.isArray(Failed) ? Failed : []), ...corrupted] };
}

/** An entry, as far as its checksums go. */
type SentEntry = Partial<Pick<SendMessageBatchRequestEntry, 'Id' | 'MessageBody' | 'MessageAttributes'>>;

function isIntact({ MessageBody = '', MessageAttributes = {} }: SentEntry = {}, answered: Answer): boolean {
  const { MD5OfMessageBody, MD5OfMessageAttributes } = answered;
  return isMd5Of(MD5OfMessageBody, MessageBody) && isMd5OfAttributes(MD5OfMessageAttributes, MessageAttributes);
}

/**
 * Refuses the whole answer to a `ReceiveMessage` where one message of it is not the one that was sent, as the SDK does: what came with it
 * is delivered again.
 * @throws SqsRequestError
 */
export function checkReceived({ Messages }: Answer): void {
  if (!Array.isArray(Messages)) return;
  for (const message of Messages) {
    if (!isRecord(message) || typeof message['Body'] !== 'string' || isMd5Of(message['MD5OfBody'], message['Body'])) continue;
    throw new SqsRequestError('ReceiveMessage', 'ChecksumMismatch', true);
  }
}

/** Whether a checksum, where there is one, is that of a text. */
function isMd5Of(checksum: unknown, text: string): boolean {
  try {
    return typeof checksum !== 'string' || checksum === hash('md5', text);
  } catch {
    return true;
  }
}

function isMd5OfAttributes(checksum: unknown, attributes: NonNullable<SentEntry['MessageAttributes']>): boolean {
  try {
    return typeof checksum !== 'string' || checksum === attributesInto(createHash('md5'), attributes).digest('hex');
  } catch {
    return true;
  }
}

/**
 * Names in the order of their bytes; of each its name, its type, a byte for the kind of its value and the value, each with its length.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation
 */
function attributesInto(md5: Hash, attributes: Readonly<Record<string, MessageAttributeValue>>): Hash {
  const sorted = Object.entries(attributes).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const [name, { DataType = '', StringValue, BinaryValue = '' }] of sorted) {
    withLength(md5, name);
    withLength(md5, DataType);
    md5.update(Buffer.of(StringValue === undefined ? BINARY_VALUE : STRING_VALUE));
    withLength(md5, StringValue ?? BinaryValue);
  }
  return md5;
}

function withLength(md5: Hash, value: string | Uint8Array): void {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  md5.update(length).update(bytes);
}
