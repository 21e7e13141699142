import type { SQSMessageAttribute, SQSRecord } from 'aws-lambda';
import { ConfigurationError } from '../errors.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import { queueOfArn } from '../topology/queue-address.ts';
import { deadLetterQueueName, parkedQueueName } from '../topology/queue-names.ts';
import { encodeJson } from '../wire/json.ts';
import { MAX_MESSAGE_BYTES, type MessageAttribute, type MessageAttributes, messageBytes } from '../wire/limits.ts';
import { messageGroupOf, receiveCountOf } from './records.ts';

/** The attribute that says why a message is parked; its value is the JSON of {@link ParkedNote}. */
export const PARKED_ATTRIBUTE = 'durable-parked';

/** @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html */
const MAX_ATTRIBUTES = 10;

const DEAD_LETTERS = '-dead-letters-';

/** What a parked message says of its past. */
export interface ParkedNote {
  readonly reason: string;
  /** ISO time at which the task was first sent: parking makes a new message of it. */
  readonly firstSeen: string;
  /** How often SQS had delivered it. */
  readonly receiveCount: number;
  /** Whether the engine is told, by a failed result. */
  readonly resultSent: boolean;
}

/**
 * A dead letter as it is parked: body, attributes and message group as they were, and the note. Without the note where
 * there is no room for it, which is how the redrive policy of the dead-letter queue would park it.
 */
export function parkedMessage(record: SQSRecord, note: Pick<ParkedNote, 'reason' | 'resultSent'>): OutgoingMessage {
  const own = attributesOf(record);
  const noted: MessageAttributes = { ...own, [PARKED_ATTRIBUTE]: encodeJson(parkedNote(record, note)) };
  const given: unknown = record.body;
  // A body-parsing middleware may have been here before us.
  const body = typeof given === 'string' ? given : JSON.stringify(given);
  const hasRoom = Object.keys(noted).length <= MAX_ATTRIBUTES && messageBytes(body, noted) <= MAX_MESSAGE_BYTES;
  const groupId = record.attributes?.MessageGroupId;
  return {
    body,
    attributes: hasRoom ? noted : own,
    ...(groupId === undefined ? {} : { groupId }),
    // A new one: SQS would drop the old one's second use for five minutes, however it came to be deleted.
    ...(messageGroupOf(record) === undefined ? {} : { deduplicationId: crypto.randomUUID() }),
  };
}

/**
 * Names that the parked queue of a dead-letter queue may have, best first. Both are made of the step's token; where
 * that is too long for a name, each is cut to its own length, and only the token tells how.
 * @param token routing token of the task, where it can be read
 * @throws ConfigurationError if the name of the queue is not of this package's making
 */
export function parkedQueueNames(deadLetterQueueArn: string | undefined, token?: string): readonly string[] {
  const name = queueOfArn(deadLetterQueueArn)?.name ?? '';
  const at = name.indexOf(DEAD_LETTERS);
  if (at <= 0) throw new ConfigurationError(`expected a queue named "<prefix>${DEAD_LETTERS}<step>", got "${name}"`);
  const prefix = name.slice(0, at);
  const alike = `${prefix}-parked-${name.slice(at + DEAD_LETTERS.length)}`;
  const options = { fifo: name.endsWith('.fifo') };
  if (token === undefined || deadLetterQueueName(token, prefix, options) !== name) return [alike];
  return [...new Set([parkedQueueName(token, prefix, options), alike])];
}

function parkedNote(record: SQSRecord, { reason, resultSent }: Pick<ParkedNote, 'reason' | 'resultSent'>): ParkedNote {
  const sentAt = Number(record.attributes?.SentTimestamp);
  const firstSeen = new Date(Number.isFinite(sentAt) ? sentAt : Date.now()).toISOString();
  return { reason, firstSeen, receiveCount: receiveCountOf(record), resultSent };
}

/**
 * All message attributes, of every type. The system's own (`AWSTraceHeader`, …) are not among them, and must not be
 * sent on.
 */
function attributesOf({ messageAttributes }: SQSRecord): MessageAttributes {
  return Object.fromEntries(Object.entries(messageAttributes ?? {}).flatMap(([name, attribute]) => entryOf(name, attribute)));
}

function entryOf(name: string, { dataType, stringValue, binaryValue }: SQSMessageAttribute): [string, MessageAttribute][] {
  if (binaryValue !== undefined && binaryValue !== null) return [[name, { dataType, value: Buffer.from(binaryValue, 'base64') }]];
  return stringValue === undefined || stringValue === null ? [] : [[name, { dataType, value: stringValue }]];
}
