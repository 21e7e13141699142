import { createHash, type Hash } from 'node:crypto';
import { type MessageAttributes, typedAttribute } from '../wire/limits.ts';
import type { OutgoingMessage } from './sqs-api.ts';

/** The checksums that SQS sends back, computed from what was sent. */
export interface Checksums {
  readonly body: string;
  /** Absent where the message has no attributes. */
  readonly attributes?: string;
}

const STRING_VALUE = 1;
const BINARY_VALUE = 2;

/**
 * Whether the checksums in the answer to an entry are those of its message. What an answer does not mention, as an emulator may, says
 * nothing against the message.
 */
export function isIntact(
  message: OutgoingMessage | undefined,
  { MD5OfMessageBody, MD5OfMessageAttributes }: Readonly<Record<string, unknown>>,
) {
  const sums = message === undefined ? undefined : checksumsOf(message);
  if (sums === undefined) return true;
  return (MD5OfMessageBody ?? sums.body) === sums.body && (MD5OfMessageAttributes ?? sums.attributes) === sums.attributes;
}

/** Undefined where this build of Node has no MD5 (FIPS): then there is nothing to compare with. */
export function checksumsOf({ body, attributes }: OutgoingMessage, md5: () => Hash = () => createHash('md5')): Checksums | undefined {
  try {
    const ofBody = md5().update(body).digest('hex');
    if (attributes === undefined || Object.keys(attributes).length === 0) return { body: ofBody };
    return { body: ofBody, attributes: attributesInto(md5(), attributes).digest('hex') };
  } catch {
    return undefined;
  }
}

/**
 * Names in the order of their bytes; of each its name, its type, a byte for the kind of its value and the value, each with its length.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation
 */
function attributesInto(hash: Hash, attributes: MessageAttributes): Hash {
  const sorted = Object.entries(attributes).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const [name, attribute] of sorted) {
    const { dataType, value } = typedAttribute(attribute);
    withLength(hash, name);
    withLength(hash, dataType);
    hash.update(Buffer.of(typeof value === 'string' ? STRING_VALUE : BINARY_VALUE));
    withLength(hash, value);
  }
  return hash;
}

function withLength(hash: Hash, value: string | Uint8Array): void {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  hash.update(length).update(bytes);
}
