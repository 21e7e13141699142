import { createHash, type Hash, hash } from 'node:crypto';
import type { MessageAttributeValue, SendMessageBatchRequest } from '@aws-sdk/client-sqs';
import { SqsRequestError } from '../errors.ts';
import { isRecord } from '../wire/shape.ts';
import type { Answer } from './sqs-operations.ts';

/**
 * MD5 checksums, by which both sides notice a message that was changed on its way. A build of Node without MD5 (FIPS)
 * compares nothing.
 */

const STRING_VALUE = 1;
const BINARY_VALUE = 2;

/**
 * The answer to a `SendMessageBatch`, with those entries as failed whose checksums are not those of their messages:
 * such a message is in the queue, and the whole one is sent after it. What an answer does not mention, as an emulator
 * may, says nothing against a message.
 */
export function checkSent({ Entries = [] }: SendMessageBatchRequest, answer: Answer): Answer {
  const { Successful, Failed } = answer;
  if (!Array.isArray(Successful)) return answer;
  const corrupted = Successful.flatMap((entry: unknown) => {
    const { Id, MD5OfMessageBody: ofBody, MD5OfMessageAttributes: ofAttributes }: Answer = isRecord(entry) ? entry : {};
    const { MessageBody = '', MessageAttributes = {} } = Entries[Number(Id)] ?? {};
    const isIntact =
      (typeof ofBody !== 'string' || isMd5(ofBody, MessageBody)) &&
      (typeof ofAttributes !== 'string' || isMd5(ofAttributes, MessageAttributes));
    return isIntact ? [] : [{ Id, Code: 'ChecksumMismatch', SenderFault: false }];
  });
  // An entry that is in both lists has failed.
  return { Successful, Failed: [...(Array.isArray(Failed) ? Failed : []), ...corrupted] };
}

/**
 * Refuses the whole answer to a `ReceiveMessage` where one message of it is not the one that was sent, as the SDK does:
 * what came with it is delivered again.
 * @throws SqsRequestError
 */
export function checkReceived(_input: object, answer: Answer): Answer {
  const { Messages } = answer;
  for (const message of Array.isArray(Messages) ? Messages : []) {
    const { Body, MD5OfBody }: Answer = isRecord(message) ? message : {};
    if (typeof Body !== 'string' || typeof MD5OfBody !== 'string' || isMd5(MD5OfBody, Body)) continue;
    throw new SqsRequestError('ReceiveMessage', 'ChecksumMismatch', true);
  }
  return answer;
}

type Attributes = Readonly<Record<string, MessageAttributeValue>>;

/** Whether a checksum is that of a body, or of attributes. */
function isMd5(checksum: string, of: string | Attributes): boolean {
  try {
    return checksum === (typeof of === 'string' ? hash('md5', of) : attributesInto(createHash('md5'), of).digest('hex'));
  } catch {
    return true;
  }
}

/**
 * Names in the order of their bytes; of each its name, its type, a byte for the kind of its value and the value, each
 * with its length.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation
 */
function attributesInto(md5: Hash, attributes: Attributes): Hash {
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
