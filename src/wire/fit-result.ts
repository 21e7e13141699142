import { fitsInBytes, MAX_MESSAGE_BYTES, type MessageAttributes, messageBytes } from './limits.ts';
import { encodeStepResult, failedAttemptOf, failureOf, type StepError, type StepResult } from './step-result.ts';

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
 * A completed result keeps its output: only its events are given up, and if the output alone is too large the step
 * fails with `result_too_large`, not retryable (the same output would be as large again). A failed result loses its
 * events, then its stack, then the end of its message: what is left still tells the engine that the step failed, and
 * how. Its ids and status are never touched, so a limit smaller than those is not met.
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
  const fits = (candidate: StepResult) => fitsInBytes(encodeStepResult(candidate), attributes, limitBytes);
  const dropped: DroppedPart[] = [];
  let current = result;
  let body = whole;
  for (const [part, smaller] of LOSSES) {
    const reduced = smaller(current, { bytes: messageBytes(body, attributes), limitBytes, fits });
    if (reduced === undefined) continue;
    dropped.push(part);
    current = reduced;
    body = encodeStepResult(current);
    if (fits(current) || (part === 'output' && result.status === 'completed')) break;
  }
  return { result: current, body, dropped };
}

interface Room {
  /** Of the result as it is. */
  readonly bytes: number;
  readonly limitBytes: number;
  readonly fits: (candidate: StepResult) => boolean;
}

/**
 * What a result loses, in this order until it fits: each gives the result without, or undefined where there is nothing
 * to lose.
 */
const LOSSES: readonly (readonly [DroppedPart, (result: StepResult, room: Room) => StepResult | undefined])[] = [
  ['events', ({ events, ...rest }) => events && rest],
  [
    'output',
    ({ output, ...rest }, { bytes, limitBytes }) => {
      if (rest.status === 'completed') return tooLarge(rest, bytes, limitBytes);
      return output === undefined ? undefined : rest;
    },
  ],
  ['stack', (result) => (result.error?.stack === undefined ? undefined : withError(result, { stack: undefined }))],
  [
    'fields',
    (result) => {
      const documented = documentedFields(result);
      return encodeStepResult(documented).length < encodeStepResult(result).length ? documented : undefined;
    },
  ],
  [
    'code',
    // A code is short unless a step made it long; then it would leave no room for any message.
    (result, { fits }) =>
      result.error?.code === undefined || fits(withError(result, { message: CUT })) ? undefined : withError(result, { code: undefined }),
  ],
  ['message', (result, { fits }) => result.error && cutMessage(result, result.error.message, fits)],
];

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
  const { status, error } = result;
  const bare: StepResult = {
    ...head(result),
    status,
    error: error && { message: error.message, code: error.code, retryable: error.retryable },
  };
  return failureOf(failedAttemptOf(result), bare);
}

function head({ runId, seq, stepId, startedAt }: StepResult): Pick<StepResult, 'runId' | 'seq' | 'stepId' | 'startedAt'> {
  return { runId, seq, stepId, startedAt };
}

/** The result with other fields in its error; what is undefined is not encoded. */
function withError(result: StepResult, fields: Partial<StepError>): StepResult {
  return { ...result, error: { message: '', ...result.error, ...fields } };
}

/** The longest beginning of the error message that fits, found by halving: escapes make bytes per character uneven. */
function cutMessage(result: StepResult, message: string, fits: Room['fits']): StepResult {
  // Where the cut would halve a surrogate pair, all of the pair goes.
  const cutTo = (length: number) => withError(result, { message: `${message.slice(0, length).replace(/[\uD800-\uDBFF]$/, '')}${CUT}` });
  let low = 0;
  let high = message.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(cutTo(middle))) low = middle;
    else high = middle - 1;
  }
  return cutTo(low);
}
