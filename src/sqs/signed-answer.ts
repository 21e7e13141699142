import { isRecord } from '../wire/shape.ts';
import { entryPasses, shortCode } from './request-errors.ts';
import type { EntryOutcome } from './sqs-api.ts';

/** Outcomes by position. What SQS names neither as successful nor as failed counts as failed: better twice than never. */
export function entryOutcomes(
  count: number,
  answer: Readonly<Record<string, unknown>>,
  intact: (index: number, entry: Readonly<Record<string, unknown>>) => boolean = () => true,
): EntryOutcome[] {
  const all: EntryOutcome[] = Array.from({ length: count }, () => ({ ok: false, sqsCode: 'NoOutcome', passing: true }));
  for (const entry of records(answer['Successful'])) {
    const index = Number(entry['Id']);
    // Something on the way changed the message. It is in the queue, and the whole one is sent after it.
    if (index in all) all[index] = intact(index, entry) ? { ok: true } : { ok: false, sqsCode: 'ChecksumMismatch', passing: true };
  }
  for (const { Id, Code, SenderFault } of records(answer['Failed'])) {
    const code = typeof Code === 'string' ? Code : 'Unknown';
    const index = Number(Id);
    if (index in all) all[index] = { ok: false, sqsCode: shortCode(code), passing: entryPasses(code, SenderFault !== false) };
  }
  return all;
}

/** An answer of SQS with an error status, shaped as the SDK's errors are, so that both are read in one place. */
export interface AnsweredError extends Error {
  readonly $metadata: { readonly httpStatusCode: number };
}

/** @param queryError the header that carries the code in the older protocol's spelling */
export function answeredError(status: number, body: string, queryError?: string | undefined): AnsweredError {
  const answer = parsedObject(body) ?? {};
  const type = answer['__type'] ?? queryError?.split(';')[0];
  const message = answer['message'] ?? answer['Message'];
  const error = new Error(typeof message === 'string' ? message : `HTTP status ${status}`);
  // A proxy on the way answers in a language of its own.
  error.name = typeof type === 'string' && type !== '' ? (type.split('#').at(-1) ?? type) : `Http${status}`;
  return Object.assign(error, { $metadata: { httpStatusCode: status } });
}

/** Undefined where it is not a JSON object. */
export function parsedObject(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function records(value: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}
