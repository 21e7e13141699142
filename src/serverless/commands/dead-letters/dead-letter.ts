import type { Message } from '@aws-sdk/client-sqs';
import { attempt } from '../../../attempt.ts';
import { PARKED_ATTRIBUTE } from '../../../lambda/parked-message.ts';
import { decodePointer } from '../../../payloads/pointer.ts';
import { taskSubject } from '../../../step/task-subject.ts';
import { isRecord } from '../../../wire/shape.ts';
import { decodeStartRun } from '../../../wire/start-run.ts';
import type { DeadLetterQueue } from './queues.ts';

/** What may be shown of a message of a dead-letter or parked queue: ids and reasons, nothing of its body. */
export interface DeadLetter {
  readonly messageId: string;
  readonly runId: string | null;
  /** For a turn of a workflow, the id of the turn. */
  readonly stepId: string | null;
  readonly attempt: number | null;
  /** Receive count as a task. */
  readonly receiveCount: number;
  /** ISO time at which the task was first sent. */
  readonly firstSeen: string;
  readonly reason: string;
  /** Whether the dead-letter handler sent the engine a failed result for it; null: not known. */
  readonly resultSent: boolean | null;
}

/** @param queue kind of the queue that holds it */
export function deadLetter(message: Message, queue: DeadLetterQueue['kind']): DeadLetter {
  const note = noteOf(message);
  const sentAt = Number(message.Attributes?.SentTimestamp ?? 0);
  return {
    messageId: message.MessageId ?? '',
    ...taskIds(message.Body ?? ''),
    receiveCount: note?.receiveCount ?? Number(message.Attributes?.ApproximateReceiveCount ?? 1),
    firstSeen: note?.firstSeen ?? new Date(sentAt).toISOString(),
    reason: note?.reason ?? REASONS[queue],
    // No engine waits for the result of a start.
    resultSent: note?.resultSent ?? (queue === 'parked' ? null : false),
  };
}

/** Why a message without a note is where it is. */
const REASONS: Readonly<Record<DeadLetterQueue['kind'], string>> = {
  'dead-letters': 'waiting for the dead-letter handler',
  parked: 'the dead-letter handler failed on it',
  'start-run-dead-letters': 'no engine could carry out the start; its log says why',
};

/** The fields of `ParkedNote` that are there and of the right type: anybody may have written the attribute. */
function noteOf({ MessageAttributes }: Message) {
  const text = MessageAttributes?.[PARKED_ATTRIBUTE]?.StringValue;
  if (text === undefined) return undefined;
  const { reason, firstSeen, receiveCount, resultSent } = jsonObject(text);
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
  const unknown = { runId: null, stepId: null, attempt: null };
  // A body in S3 is not read: that takes rights on the bucket, which a look at queues should not need.
  if (decodePointer(body) !== undefined) return unknown;
  const subject = taskSubject(body);
  if (subject === undefined) return { ...unknown, runId: attempt(() => decodeStartRun(body).runId) ?? null };
  return { runId: subject.runId, stepId: subject.stepId, attempt: subject.attempt ?? null };
}
