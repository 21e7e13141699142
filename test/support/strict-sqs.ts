import { refusedMessage, sentBytes } from './strict-message.ts';
import { GETTABLE, refusedName, refusedQueue } from './strict-queue.ts';
import {
  type Fields,
  fieldsOf,
  listOf,
  MAX_BYTES,
  MAX_VISIBILITY_SECONDS,
  optionalRange,
  type Refusal,
  range,
  refusedNames,
} from './strict-values.ts';

/**
 * What AWS refuses of a request to SQS, and leaves out of an answer, where emulators are friendlier. Pure: bodies of
 * SQS's JSON protocol.
 *
 * One bad entry refuses its whole batch. AWS is sometimes milder and fails the entry alone, but nothing of ours may
 * ever send one.
 */

const ENTRY_ID = /^[A-Za-z0-9_-]{1,80}$/;

/** @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html */
const SYSTEM_ATTRIBUTES: ReadonlySet<unknown> = new Set([
  'All',
  'SenderId',
  'SentTimestamp',
  'ApproximateReceiveCount',
  'ApproximateFirstReceiveTimestamp',
  'SequenceNumber',
  'MessageDeduplicationId',
  'MessageGroupId',
  'AWSTraceHeader',
  'DeadLetterQueueSourceArn',
]);

/** Why AWS would refuse the request, or undefined where it would not. */
export function refused(action: string, input: Fields): Refusal | undefined {
  const fifo = String(input['QueueUrl']).endsWith('.fifo');
  switch (action) {
    case 'CreateQueue':
      return refusedQueue(input['QueueName'], fieldsOf(input['Attributes']));
    case 'GetQueueUrl':
      return refusedName(input['QueueName']);
    case 'GetQueueAttributes':
      return refusedNames(action, input['AttributeNames'], GETTABLE);
    case 'SendMessage':
      return refusedMessage(input, fifo);
    case 'SendMessageBatch':
      return refusedBatch(input, (entry) => refusedMessage(entry, fifo)) ?? refusedBatchSize(input);
    case 'ReceiveMessage':
      return refusedReceive(input);
    case 'DeleteMessage':
      return refusedReceipt(input);
    case 'DeleteMessageBatch':
      return refusedBatch(input, refusedReceipt);
    case 'ChangeMessageVisibility':
      return refusedVisibility(input);
    case 'ChangeMessageVisibilityBatch':
      return refusedBatch(input, refusedVisibility);
    default:
      return undefined;
  }
}

/** The answer without what was not asked for. */
export function requestedOnly(action: string, input: Fields, answer: Fields): Fields {
  if (action === 'GetQueueAttributes') {
    return { ...answer, Attributes: kept(fieldsOf(answer['Attributes']), namesOf(input['AttributeNames'])) };
  }
  if (action !== 'ReceiveMessage' || !Array.isArray(answer['Messages'])) return answer;
  const system = [...namesOf(input['MessageSystemAttributeNames']), ...namesOf(input['AttributeNames'])];
  const names = namesOf(input['MessageAttributeNames']);
  return { ...answer, Messages: answer['Messages'].map((message) => messageWith(fieldsOf(message), system, names)) };
}

function messageWith(message: Fields, system: readonly string[], names: readonly string[]): Fields {
  const { Attributes, MessageAttributes, MD5OfMessageAttributes, ...rest } = message;
  const attributes = kept(fieldsOf(Attributes), system);
  const custom = kept(fieldsOf(MessageAttributes), names);
  const whole = Object.keys(custom).length === Object.keys(fieldsOf(MessageAttributes)).length;
  return {
    ...rest,
    // Absent rather than empty, as AWS has it.
    ...(Object.keys(attributes).length === 0 ? {} : { Attributes: attributes }),
    ...(Object.keys(custom).length === 0 ? {} : { MessageAttributes: custom }),
    // Of the attributes that are given: those of a part are not computed here, and nobody of ours reads them.
    ...(whole && Object.keys(custom).length > 0 ? { MD5OfMessageAttributes } : {}),
  };
}

function kept(attributes: Fields, asked: readonly string[]): Fields {
  const wanted = (name: string) =>
    asked.some((ask) => ask === 'All' || ask === '.*' || ask === name || (ask.endsWith('.*') && name.startsWith(ask.slice(0, -2))));
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => wanted(name)));
}

function refusedReceive(input: Fields): Refusal | undefined {
  return (
    optionalRange('MaxNumberOfMessages', input['MaxNumberOfMessages'], 1, 10) ??
    optionalRange('WaitTimeSeconds', input['WaitTimeSeconds'], 0, 20) ??
    optionalRange('VisibilityTimeout', input['VisibilityTimeout'], 0, MAX_VISIBILITY_SECONDS) ??
    refusedNames('ReceiveMessage', input['MessageSystemAttributeNames'], SYSTEM_ATTRIBUTES) ??
    refusedNames('ReceiveMessage', input['AttributeNames'], SYSTEM_ATTRIBUTES)
  );
}

function refusedBatch(input: Fields, refusedEntry: (entry: Fields) => Refusal | undefined): Refusal | undefined {
  const entries = listOf(input['Entries']).map(fieldsOf);
  if (entries.length === 0) return { code: 'EmptyBatchRequest', message: 'a batch without entries' };
  if (entries.length > 10) return { code: 'TooManyEntriesInBatchRequest', message: `${entries.length} entries, at most 10` };
  const ids = entries.map(({ Id }) => Id);
  if (!ids.every((id) => typeof id === 'string' && ENTRY_ID.test(id))) {
    return { code: 'InvalidBatchEntryId', message: `entry ids ${JSON.stringify(ids)}: 1 to 80 of A-Z a-z 0-9 _ -` };
  }
  if (new Set(ids).size < ids.length) return { code: 'BatchEntryIdsNotDistinct', message: `entry ids ${JSON.stringify(ids)}` };
  return entries.map(refusedEntry).find((refusal) => refusal !== undefined);
}

function refusedBatchSize(input: Fields): Refusal | undefined {
  const bytes = listOf(input['Entries']).reduce((sum: number, entry) => sum + sentBytes(fieldsOf(entry)), 0);
  return bytes > MAX_BYTES ? { code: 'BatchRequestTooLong', message: `${bytes} bytes together, at most ${MAX_BYTES}` } : undefined;
}

function refusedReceipt({ ReceiptHandle: handle }: Fields): Refusal | undefined {
  return typeof handle === 'string' && handle !== '' ? undefined : { code: 'ReceiptHandleIsInvalid', message: 'no receipt handle' };
}

function refusedVisibility(entry: Fields): Refusal | undefined {
  return refusedReceipt(entry) ?? range('VisibilityTimeout', entry['VisibilityTimeout'], 0, MAX_VISIBILITY_SECONDS);
}

const namesOf = (names: unknown): readonly string[] => listOf(names).map(String);
