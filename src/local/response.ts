import { kindOf } from '../wire/json.ts';
import { isRecord } from '../wire/shape.ts';
import { MAX_PAYLOAD_BYTES } from './payload.ts';

/** Which messages of a batch Lambda deletes, and which stay on the queue. */
export interface Verdict {
  /** Message ids, in the order of the batch. */
  readonly succeeded: readonly string[];
  /** Message ids, in the order of the batch. */
  readonly failed: readonly string[];
  /** Why the whole batch failed, or why a success is doubtful. Names ids and kinds, never contents. */
  readonly reason?: string;
}

/**
 * Judges a handler's response as Lambda's event source mapping does.
 *
 * Without `reportBatchItemFailures` its contents do not matter. In either case it must become JSON of at most 6 MB, or
 * the whole invocation has failed.
 * @param messageIds ids of the batch
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
 */
export function judgeResponse(messageIds: readonly string[], response: unknown, reportBatchItemFailures: boolean): Verdict {
  const allFailed = (reason: string): Verdict => ({ succeeded: [], failed: messageIds, reason });
  const allSucceeded: Verdict = { succeeded: messageIds, failed: [] };

  const sent = throughJson(response);
  if (!sent.ok) return allFailed(sent.reason);
  if (!reportBatchItemFailures) return allSucceeded;

  // Lambda's documentation: "an empty EventResponse" and "a null EventResponse" are full successes.
  const answer = sent.value;
  if (answer === null || answer === '') return allSucceeded;
  if (!isRecord(answer)) return allFailed(`expected the response to be an object, got ${kindOf(answer)}`);
  if (!Object.hasOwn(answer, 'batchItemFailures')) return { ...allSucceeded, ...doubt(answer) };

  const failures = answer['batchItemFailures'];
  if (failures === null) return allSucceeded;
  if (!Array.isArray(failures)) return allFailed(`expected batchItemFailures to be an array, got ${kindOf(failures)}`);
  const reported = new Set<string>();
  for (const [index, failure] of failures.entries()) {
    const identifier: unknown = isRecord(failure) ? failure['itemIdentifier'] : undefined;
    if (typeof identifier !== 'string' || identifier === '') {
      return allFailed(`expected batchItemFailures[${index}].itemIdentifier to be a message id, got ${kindOf(identifier)}`);
    }
    // Not quoted: it could be part of a body.
    if (!messageIds.includes(identifier))
      return allFailed(`batchItemFailures[${index}].itemIdentifier is not the id of a message of this batch`);
    reported.add(identifier);
  }
  return { succeeded: messageIds.filter((id) => !reported.has(id)), failed: messageIds.filter((id) => reported.has(id)) };
}

/**
 * Lambda counts an object without the list as a success. For `{}` that is intended; another object is more likely a
 * mistake.
 */
function doubt(answer: Record<string, unknown>): { reason?: string } {
  if (Object.keys(answer).length === 0) return {};
  return { reason: 'the response has no batchItemFailures, which Lambda counts as a full success' };
}

type Sent = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string };

/** The response as Lambda receives it: the runtime sends JSON, and null for undefined. */
function throughJson(response: unknown): Sent {
  let text: string | undefined;
  try {
    text = JSON.stringify(response);
  } catch {
    return { ok: false, reason: 'the response cannot become JSON' };
  }
  if (text === undefined) return { ok: true, value: null };
  if (Buffer.byteLength(text) > MAX_PAYLOAD_BYTES) return { ok: false, reason: `the response is larger than ${MAX_PAYLOAD_BYTES} bytes` };
  return { ok: true, value: JSON.parse(text) };
}
