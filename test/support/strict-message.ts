import { type Fields, fieldsOf, invalid, MAX_BYTES, type Refusal } from './strict-values.ts';

/**
 * XML's characters: what a body, and a text attribute, may hold.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
 */
const LEGAL_TEXT = /^[\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]*$/u;
const ATTRIBUTE_NAME = /^(?!(aws|amazon)\.)(?!\.)(?!.*\.\.)(?!.*\.$)[A-Za-z0-9_.-]{1,256}$/i;
const DATA_TYPE = /^(String|Number|Binary)(\.[\x21-\x7e]+)?$/;
/** Group and deduplication ids. */
const FIFO_ID = /^[\x21-\x7e]{1,128}$/;

/** One message that is to be sent, alone or as an entry of a batch. */
export function refusedMessage(entry: Fields, fifo: boolean): Refusal | undefined {
  return (
    refusedBody(entry['MessageBody']) ??
    refusedAttributes(fieldsOf(entry['MessageAttributes'])) ??
    refusedIds(entry, fifo) ??
    refusedSize(entry)
  );
}

/** What SQS counts for a message. */
export function sentBytes(entry: Fields): number {
  let bytes = bytesOf(entry['MessageBody']);
  for (const [name, attribute] of Object.entries(fieldsOf(entry['MessageAttributes']))) {
    const { DataType, StringValue, BinaryValue } = fieldsOf(attribute);
    const binary = typeof BinaryValue === 'string' ? Buffer.from(BinaryValue, 'base64').length : 0;
    bytes += bytesOf(name) + bytesOf(DataType) + bytesOf(StringValue) + binary;
  }
  return bytes;
}

function refusedBody(body: unknown): Refusal | undefined {
  if (typeof body !== 'string' || body === '') return { code: 'MissingParameter', message: 'a message without a body' };
  return LEGAL_TEXT.test(body) ? undefined : { code: 'InvalidMessageContents', message: 'a body with a character that SQS refuses' };
}

function refusedAttributes(attributes: Fields): Refusal | undefined {
  const entries = Object.entries(attributes);
  if (entries.length > 10) return invalid(`${entries.length} message attributes, at most 10`);
  return entries.map(([name, attribute]) => refusedAttribute(name, fieldsOf(attribute))).find((refusal) => refusal !== undefined);
}

function refusedAttribute(name: string, { DataType, StringValue, BinaryValue }: Fields): Refusal | undefined {
  if (!ATTRIBUTE_NAME.test(name)) return invalid(`message attribute name ${JSON.stringify(name)}`);
  if (typeof DataType !== 'string' || !DATA_TYPE.test(DataType))
    return invalid(`message attribute ${name}: type ${JSON.stringify(DataType)}`);
  const value = DataType.startsWith('Binary') ? BinaryValue : StringValue;
  if (typeof value !== 'string' || value === '') return invalid(`message attribute ${name}: no value of its type`);
  if (!LEGAL_TEXT.test(value)) return invalid(`message attribute ${name}: a character that SQS refuses`);
  if (DataType.startsWith('Number') && !Number.isFinite(Number(value))) return invalid(`message attribute ${name}: no number`);
  return undefined;
}

function refusedIds(
  { MessageGroupId: group, MessageDeduplicationId: id, DelaySeconds: delay }: Fields,
  fifo: boolean,
): Refusal | undefined {
  if (group !== undefined && !(typeof group === 'string' && FIFO_ID.test(group))) return invalid(`MessageGroupId ${JSON.stringify(group)}`);
  if (id !== undefined && !(typeof id === 'string' && FIFO_ID.test(id))) return invalid(`MessageDeduplicationId ${JSON.stringify(id)}`);
  // A group on a standard queue is the tenant of fair queues.
  if (!fifo) return id === undefined ? undefined : invalid('MessageDeduplicationId on a standard queue');
  if (group === undefined) return { code: 'MissingParameter', message: 'a message to a FIFO queue without MessageGroupId' };
  if (delay !== undefined) return invalid('DelaySeconds of a message to a FIFO queue');
  // AWS does without on a queue with ContentBasedDeduplication, which would take two equal results for one: none of
  // ours is such a queue.
  return id === undefined ? invalid('a message to a FIFO queue without MessageDeduplicationId') : undefined;
}

function refusedSize(entry: Fields): Refusal | undefined {
  const bytes = sentBytes(entry);
  return bytes > MAX_BYTES ? invalid(`a message of ${bytes} bytes, at most ${MAX_BYTES}`) : undefined;
}

const bytesOf = (text: unknown): number => (typeof text === 'string' ? Buffer.byteLength(text) : 0);
