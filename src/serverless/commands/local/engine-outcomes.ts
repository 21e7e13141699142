import type { SQSRecord } from 'aws-lambda';
import { attempt } from '../../../attempt.ts';
import { subjectOfKey } from '../../../payloads/payload-key.ts';
import { decodePointer } from '../../../payloads/pointer.ts';
import { isRecord } from '../../../wire/shape.ts';
import type { StepOutcome } from './step-outcomes.ts';

/**
 * What became of the records of an engine's invocation: of results, decisions, starts and wake-ups.
 * @param failedIds message ids of the records that stay on their queue
 */
export function engineOutcomes(records: readonly SQSRecord[], failedIds: ReadonlySet<string>): StepOutcome[] {
  return records.map(({ messageId, body }) => {
    const runId = runIdOf(body);
    return { ...(runId === undefined ? {} : { runId }), outcome: failedIds.has(messageId) ? 'redelivered' : 'taken' };
  });
}

/** All of them say it in the same field, and a stored one in its key. */
function runIdOf(body: string): string | undefined {
  const pointer = decodePointer(body);
  if (pointer !== undefined) return subjectOfKey(pointer.key)?.runId;
  const message: unknown = attempt(() => JSON.parse(body));
  const runId = isRecord(message) ? message['runId'] : undefined;
  return typeof runId === 'string' ? runId : undefined;
}
