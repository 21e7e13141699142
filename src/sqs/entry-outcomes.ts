import { isRecord } from '../wire/shape.ts';
import { entryPasses, shortCode } from './request-errors.ts';
import type { EntryOutcome } from './sqs-api.ts';

/** The answer to a batch request, as it arrived. */
export interface BatchAnswer {
  readonly Successful?: unknown;
  readonly Failed?: unknown;
}

/** Outcomes by position. What SQS names neither as successful nor as failed counts as failed: better twice than never. */
export function entryOutcomes(
  count: number,
  { Successful, Failed }: BatchAnswer,
  intact: (index: number, entry: Readonly<Record<string, unknown>>) => boolean = () => true,
): EntryOutcome[] {
  const all: EntryOutcome[] = Array.from({ length: count }, () => ({ ok: false, sqsCode: 'NoOutcome', transient: true }));
  for (const entry of records(Successful)) {
    const index = Number(entry['Id']);
    // Something on the way changed the message. It is in the queue, and the whole one is sent after it.
    if (index in all) all[index] = intact(index, entry) ? { ok: true } : { ok: false, sqsCode: 'ChecksumMismatch', transient: true };
  }
  for (const { Id, Code, SenderFault } of records(Failed)) {
    const code = typeof Code === 'string' ? Code : 'Unknown';
    const index = Number(Id);
    if (index in all) all[index] = { ok: false, sqsCode: shortCode(code), transient: entryPasses(code, SenderFault !== false) };
  }
  return all;
}

function records(value: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}
