import { type DroppedPart, type FittedResult, fitResult } from '../wire/fit-result.ts';
import { encodeJson } from '../wire/json.ts';
import { MAX_MESSAGE_BYTES, type MessageAttributes } from '../wire/limits.ts';
import type { StepEvent, StepResult } from '../wire/step-result.ts';
import { lostContents } from './lost-contents.ts';

/**
 * Encodes a result; always gives a body that SQS accepts and the engine can read.
 *
 * An output that cannot become JSON (BigInt, a cycle, a `toJSON` that throws, nesting without end), or would lose what it holds (a `Map`, a
 * promise), fails the step with `unserializable_output`, not retryable: it would be the same the next time. An event that cannot loses its
 * data: a log line must not fail a step that worked.
 */
export function encodeResult(result: StepResult, attributes?: MessageAttributes, limitBytes: number = MAX_MESSAGE_BYTES): FittedResult {
  const fitted = (candidate: StepResult) => fitResult(candidate, limitBytes, attributes);
  const encoded = attempt(() => fitted(result)) ?? encodableResult(result, fitted);
  // What loses its contents is `{}` in JSON: where there is none, nothing has to be looked at.
  const lost = encoded.body.includes('{}') ? lostContents(encoded.result.output, 'output') : undefined;
  if (lost === undefined) return encoded;
  const failed = unserializable({ ...result, events: encoded.result.events }, `${lost}, whose JSON is {}`);
  const last = withOutputDropped(attempt(() => fitted(failed)) ?? fitted({ ...failed, events: undefined }));
  return { ...last, dropped: union(encoded.dropped, last.dropped) };
}

function encodableResult(result: StepResult, fitted: (candidate: StepResult) => FittedResult): FittedResult {
  // JSON.stringify does not say which part it failed on; that is found by trying each.
  const { events, ...withoutEvents } = result;
  const lines = events?.map(encodableLine);
  const lost: readonly DroppedPart[] = lines?.some((line, index) => line !== events?.[index]) ? ['events'] : [];
  const withLines = (other: StepResult): StepResult =>
    lines === undefined ? other : { ...other, events: lines.flatMap((line) => line ?? []) };
  const quiet = attempt(() => fitted(withLines(withoutEvents)));
  if (quiet !== undefined) return { ...quiet, dropped: union(lost, quiet.dropped) };

  const failed = unserializable(withoutEvents, 'it holds a BigInt, a cycle, a toJSON that throws, or is nested too deep');
  // A toJSON may also throw only now and then: what goes out last holds nothing but plain text.
  const last = withOutputDropped(attempt(() => fitted(withLines(failed))) ?? fitted(failed));
  return { ...last, dropped: union(lost, last.dropped) };
}

function withOutputDropped(fitted: FittedResult): FittedResult {
  return { ...fitted, dropped: union(['output'], fitted.dropped) };
}

function unserializable({ runId, seq, stepId, startedAt, events }: StepResult, why: string): StepResult {
  const message = `the output of the step cannot become JSON: ${why}. Return plain data`;
  const error = { message, code: 'unserializable_output', retryable: false };
  return { runId, seq, stepId, status: 'failed', error, startedAt, ...(events === undefined ? {} : { events }) };
}

/** The event as it is; without its data where that cannot become JSON; nothing where the rest cannot either. */
function encodableLine(event: StepEvent): StepEvent | undefined {
  if (attempt(() => encodeJson(event)) !== undefined) return event;
  const { data: _data, ...line } = event;
  return attempt(() => encodeJson(line)) === undefined ? undefined : line;
}

function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}

function union(...parts: readonly (readonly DroppedPart[])[]): DroppedPart[] {
  return [...new Set(parts.flat())];
}
