import { fitsInBytes, MAX_MESSAGE_BYTES, type MessageAttributes, messageBytes } from './limits.ts';
import { encodeStepResult, type StepError, type StepResult } from './step-result.ts';

/** What a result can lose. `fields`: what is no part of the documented result; `message`: its end. */
export type DroppedPart = 'output' | 'events' | 'stack' | 'fields' | 'code' | 'message';

/** A result as it will be sent, and what was given up to make it fit. */
export interface FittedResult {
  readonly result: StepResult;
  readonly body: string;
  readonly dropped: readonly DroppedPart[];
}

/**
 * Makes a result small enough to send.
 *
 * A completed result keeps its output: only its events are given up, and if the output alone is too large the step fails with
 * `result_too_large`, not retryable (the same output would be as large again). A failed result loses its events, then its
 * stack, then the end of its message: what is left still tells the engine that the step failed, and how. Its ids and status are
 * never touched, so a limit smaller than those is not met.
 */
export function fitResult(result: StepResult, limitBytes: number, attributes?: MessageAttributes): FittedResult {
  const body = encodeStepResult(result);
  return fitsInBytes(body, attributes, limitBytes)
    ? { result, body, dropped: NOTHING }
    : reducedResult(result, body, limitBytes, attributes);
}

const NOTHING: readonly DroppedPart[] = [];

/** @param whole the body of the result, which is too large */
function reducedResult(result: StepResult, whole: string, limitBytes: number, attributes: MessageAttributes | undefined): FittedResult {
  const fits = (text: string) => fitsInBytes(text, attributes, limitBytes);
  const dropped: DroppedPart[] = [];
  let current = result;
  let body = whole;
  const fitsAs = (part: DroppedPart, smaller: StepResult): boolean => {
    current = smaller;
    body = encodeStepResult(current);
    dropped.push(part);
    return fits(body);
  };
  const fitted = (): FittedResult => ({ result: current, body, dropped });

  if (current.events !== undefined) {
    const { events: _events, ...rest } = current;
    if (fitsAs('events', rest)) return fitted();
  }
  if (current.status === 'completed') {
    fitsAs('output', tooLarge(current, messageBytes(body, attributes), limitBytes));
    return fitted();
  }
  if (current.output !== undefined) {
    const { output: _output, ...rest } = current;
    if (fitsAs('output', rest)) return fitted();
  }
  if (current.error?.stack !== undefined) {
    const { stack: _stack, ...error } = current.error;
    if (fitsAs('stack', { ...current, error })) return fitted();
  }
  const documented = documentedFields(current);
  if (encodeStepResult(documented).length < body.length && fitsAs('fields', documented)) return fitted();
  if (documented.error === undefined) return fitted();
  // A code is short unless a step made it long; then it would leave no room for any message.
  if (documented.error.code !== undefined && !fits(encodeStepResult(withMessage(documented, documented.error, CUT)))) {
    const { code: _code, ...error } = documented.error;
    if (fitsAs('code', { ...documented, error })) return fitted();
  }
  fitsAs('message', cutMessage(current, fits));
  return fitted();
}

const CUT = '… (cut)';

function tooLarge(result: StepResult, bytes: number, limitBytes: number): StepResult {
  const message = `result of ${bytes} bytes is larger than the ${limitBytes} bytes that ${limitWords(limitBytes)}`;
  return { ...head(result), status: 'failed', error: { message, code: 'result_too_large', retryable: false } };
}

/** Whose limit it is, and what there is to do. */
function limitWords(limitBytes: number): string {
  const reference = 'return a reference to the data instead of the data';
  if (limitBytes > MAX_MESSAGE_BYTES) return `a payload store is given; ${reference}`;
  const whose = limitBytes === MAX_MESSAGE_BYTES ? 'an SQS message may have' : 'the results queue accepts (its MaximumMessageSize)';
  return `${whose}; give the worker a payloadStore, or ${reference}`;
}

/** The result of a failed step without output, events, stack and whatever else it was given. */
function documentedFields(result: StepResult): StepResult {
  if (result.error === undefined) return { ...head(result), status: result.status };
  const { message, code, retryable } = result.error;
  const error = { message, ...(code === undefined ? {} : { code }), ...(retryable === undefined ? {} : { retryable }) };
  return { ...head(result), status: result.status, error };
}

function head({ runId, seq, stepId, startedAt }: StepResult): Pick<StepResult, 'runId' | 'seq' | 'stepId' | 'startedAt'> {
  return { runId, seq, stepId, ...(startedAt === undefined ? {} : { startedAt }) };
}

function withMessage(result: StepResult, error: StepError, message: string): StepResult {
  return { ...result, error: { ...error, message } };
}

/** The longest beginning of the error message that fits, found by halving: escapes make bytes per character uneven. */
function cutMessage(result: StepResult, fits: (body: string) => boolean): StepResult {
  const error = result.error ?? { message: '' };
  const cutTo = (length: number) => withMessage(result, error, `${wholeCharacters(error.message, length)}${CUT}`);
  let low = 0;
  let high = error.message.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(encodeStepResult(cutTo(middle)))) low = middle;
    else high = middle - 1;
  }
  return cutTo(low);
}

/** The first UTF-16 units of a text, one fewer where the cut would halve a surrogate pair. */
function wholeCharacters(text: string, length: number): string {
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff && length < text.length ? length - 1 : length);
}
