import type { Message, SendMessageCommandInput } from '@aws-sdk/client-sqs';
import type { SQSRecord } from 'aws-lambda';
import { eventSource, sqsRecord } from '../../../local/sqs-event.ts';
import { decodePointer } from '../../../payloads/pointer.ts';
import { decodeRemoteTask } from '../../../wire/remote-task.ts';
import { isRecord } from '../../../wire/shape.ts';

/** What the dead-letter handler writes on a message that it parks. */
export const PARKED_ATTRIBUTE = 'durable-parked';
/** X-Ray's. Sent on, it would tie a new task to an old trace, and let loop detection count it. */
const TRACE_ATTRIBUTE = 'AWSTraceHeader';

/** A message of a dead-letter or parked queue, as far as it may be shown: ids and reasons, nothing of its body. */
export interface DeadLetter {
  readonly messageId: string;
  readonly runId: string | null;
  readonly stepId: string | null;
  readonly attempt: number | null;
  /** How often it was received as a task. */
  readonly receiveCount: number;
  /** ISO time of its first sending. */
  readonly firstSeen: string;
  readonly reason: string;
  /** Whether the engine got a failed result for it; null where nobody knows. */
  readonly resultSent: boolean | null;
}

/** @param queue what kind of queue it lies in */
export function deadLetter(message: Message, queue: 'dead-letters' | 'parked'): DeadLetter {
  const parked = parkedFacts(message);
  const sentAt = Number(message.Attributes?.SentTimestamp ?? 0);
  return {
    messageId: message.MessageId ?? '',
    ...taskIds(message.Body ?? ''),
    receiveCount: parked?.receiveCount ?? Number(message.Attributes?.ApproximateReceiveCount ?? 1),
    firstSeen: parked?.firstSeen ?? new Date(sentAt).toISOString(),
    reason: parked?.reason ?? (queue === 'dead-letters' ? 'waiting for the dead-letter handler' : 'the dead-letter handler failed on it'),
    resultSent: parked?.resultSent ?? (queue === 'dead-letters' ? false : null),
  };
}

/**
 * The message as it goes back to its tasks queue: body and message attributes as they were, the note of the dead-letter handler off.
 * @param deduplicationId a fresh one: SQS remembers the old one for five minutes, and would drop the message
 */
export function retryMessage(message: Message, tasksQueueUrl: string, deduplicationId: string): SendMessageCommandInput {
  const { Body = '', MessageAttributes = {}, Attributes = {} } = message;
  const fifo = tasksQueueUrl.endsWith('.fifo');
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
    ...(fifo ? { MessageDeduplicationId: deduplicationId } : {}),
  };
}

/** The message as a record of its tasks queue, for `sls invoke local`. */
export function replayRecord(message: Message, tasksQueueUrl: string, region: string): SQSRecord {
  const { MessageAttributes = {}, Attributes = {}, ...rest } = message;
  const { AWSTraceHeader: _trace, ApproximateReceiveCount: _count, DeadLetterQueueSourceArn: _source, ...system } = Attributes;
  const replayed = {
    ...rest,
    // Not a real one: a replay never touches the message itself.
    ReceiptHandle: 'saved-by-serverless-durable-dead-letters',
    Attributes: { ...system, ApproximateReceiveCount: '1' },
    MessageAttributes: Object.fromEntries(ownAttributes(MessageAttributes)),
  };
  const { MD5OfMessageAttributes: _md5, ...record } = replayed;
  return sqsRecord(record, eventSource(tasksQueueUrl, region));
}

function ownAttributes<T>(attributes: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(attributes).filter(([name]) => name !== PARKED_ATTRIBUTE && name !== TRACE_ATTRIBUTE);
}

/** The SDK gives bytes; an emulator may answer with something that only looks like them. */
function bytes(value: Uint8Array): Uint8Array {
  return value instanceof Uint8Array ? value : Uint8Array.from(Object.values<number>(value));
}

interface ParkedFacts {
  readonly reason: string | undefined;
  readonly firstSeen: string | undefined;
  readonly receiveCount: number | undefined;
  readonly resultSent: boolean | undefined;
}

function parkedFacts({ MessageAttributes }: Message): ParkedFacts | undefined {
  const note = MessageAttributes?.[PARKED_ATTRIBUTE]?.StringValue;
  if (note === undefined) return undefined;
  const { reason, firstSeen, receiveCount, resultSent } = jsonObject(note);
  return {
    reason: typeof reason === 'string' ? reason : undefined,
    firstSeen: typeof firstSeen === 'string' && !Number.isNaN(Date.parse(firstSeen)) ? firstSeen : undefined,
    receiveCount: typeof receiveCount === 'number' ? receiveCount : undefined,
    resultSent: typeof resultSent === 'boolean' ? resultSent : undefined,
  };
}

function jsonObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

function taskIds(body: string): Pick<DeadLetter, 'runId' | 'stepId' | 'attempt'> {
  // A body in S3 says nothing of its run, and reading it needs rights that nobody who looks at queues should need.
  if (decodePointer(body) !== undefined) return { runId: null, stepId: null, attempt: null };
  try {
    const { runId, stepId, attempt } = decodeRemoteTask(body);
    return { runId, stepId, attempt };
  } catch {
    return { runId: null, stepId: null, attempt: null };
  }
}
