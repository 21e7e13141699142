import { attempt } from '../attempt.ts';
import { type DroppedPart, type FittedResult, fitResult } from '../wire/fit-result.ts';
import { encodeJson } from '../wire/json.ts';
import { MAX_MESSAGE_BYTES, type MessageAttributes } from '../wire/limits.ts';
import type { StepEvent, StepResult } from '../wire/step-result.ts';
import { lostContents } from './lost-contents.ts';

/**
 * Encodes a result; always gives a body that SQS accepts and the engine can read.
 *
 * An output that cannot become JSON (BigInt, a cycle, a `toJSON` that throws, nesting without end), or would lose what
 * it holds (a `Map`, a promise), fails the step with `unserializable_output`, not retryable: it would be the same the
 * next time. An event that cannot loses its data: a log line must not fail a step that worked.
 */
export function encodeResult(result: StepResult, attributes?: MessageAttributes, limitBytes: number = MAX_MESSAGE_BYTES): FittedResult {
  const fitted: Fitted = (candidate) => fitResult(candidate, limitBytes, attributes);
  const encoded = attempt(() => fitted(result)) ?? encodableResult(result, fitted);
  // What loses its contents is `{}` in JSON: where there is none, nothing has to be looked at.
  const lost = encoded.body.includes('{}') ? lostContents(encoded.result.output, 'output') : undefined;
  return lost === undefined ? encoded : unserializable(encoded.result, encoded.dropped, `${lost}, whose JSON is {}`, fitted);
}

type Fitted = (candidate: StepResult) => FittedResult;

/** JSON.stringify does not say which part it failed on; that is found by trying each. */
function encodableResult(result: StepResult, fitted: Fitted): FittedResult {
  const { events } = result;
  const lines = events?.map(encodableLine);
  const dropped: readonly DroppedPart[] = lines?.some((line, index) => line !== events?.[index]) ? ['events'] : [];
  const readable = lines === undefined ? result : { ...result, events: lines.flatMap((line) => line ?? []) };
  const encoded = attempt(() => fitted(readable));
  return encoded === undefined
    ? unserializable(readable, dropped, 'it holds a BigInt, a cycle, a toJSON that throws, or is nested too deep', fitted)
    : { ...encoded, dropped: union(dropped, encoded.dropped) };
}

/** @param dropped what the result has lost before */
function unserializable(
  { runId, seq, stepId, startedAt, events }: StepResult,
  dropped: readonly DroppedPart[],
  why: string,
  fitted: Fitted,
): FittedResult {
  const message = `the output of the step cannot become JSON: ${why}. Return plain data`;
  const error = { message, code: 'unserializable_output', retryable: false };
  const failed: StepResult = { runId, seq, stepId, status: 'failed', error, startedAt };
  // A toJSON may also throw only now and then: what goes out last holds nothing but plain text.
  const encoded = attempt(() => fitted(events === undefined ? failed : { ...failed, events })) ?? fitted(failed);
  return { ...encoded, dropped: union(dropped, ['output'], encoded.dropped) };
}

/** The event as it is; without its data where that cannot become JSON; nothing where the rest cannot either. */
function encodableLine(event: StepEvent): StepEvent | undefined {
  if (attempt(() => encodeJson(event)) !== undefined) return event;
  const { data: _data, ...line } = event;
  return attempt(() => encodeJson(line)) === undefined ? undefined : line;
}

function union(...parts: readonly (readonly DroppedPart[])[]): DroppedPart[] {
  return [...new Set(parts.flat())];
}
