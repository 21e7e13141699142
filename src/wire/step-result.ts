import { InvalidMessageError } from '../errors.ts';
import { encodeJson, kindOf } from './json.ts';
import {
  anything,
  checkedFields,
  type FieldRule,
  integer,
  isRecord,
  optionalArray,
  optionalBoolean,
  optionalNumber,
  optionalObject,
  optionalText,
  parseShape,
  type Rules,
  text,
  withoutNulls,
} from './shape.ts';

/**
 * Worker → engine: how one attempt of one step ended. The payload that nestjs-durable documents for every transport.
 * @see {@link https://www.npmjs.com/package/@dudousxd/nestjs-durable-core} `StepResult`
 */
export interface StepResult {
  runId: string;
  seq: number;
  stepId: string;
  status: 'completed' | 'failed';
  output?: unknown;
  error?: StepError | undefined;
  /** Epoch milliseconds at which the worker began. The engine derives the time in the queue from it. */
  startedAt?: number | undefined;
  /** What the step logged, and the outcomes of its sub-processes. */
  events?: StepEvent[] | undefined;
}

export interface StepError {
  message: string;
  code?: string | undefined;
  /** `false` stops the engine's retries; anything else leaves them to the step's `retries`. */
  retryable?: boolean | undefined;
  stack?: string | undefined;
}

/** One line of a step's log, or a transition of a sub-process. */
export interface StepEvent {
  /** Epoch milliseconds. */
  at: number;
  level: 'debug' | 'info' | 'warn' | 'error';
  message: string;
  subId?: string;
  name?: string;
  group?: string;
  status?: 'ok' | 'failed' | 'skipped';
  phase?: string;
  process?: string;
  data?: unknown;
}

const RULES: Rules<StepResult> = {
  runId: text,
  seq: integer,
  stepId: text,
  status: {
    expected: '"completed" or "failed"',
    matches: (value) => value === 'completed' || value === 'failed',
    optional: false,
  },
  output: anything,
  error: optionalObject,
  startedAt: optionalNumber,
  events: optionalArray,
};

const ERROR_RULES: Rules<StepError> = {
  message: { expected: 'a string', matches: (value) => typeof value === 'string', optional: false },
  code: optionalText,
  retryable: optionalBoolean,
  stack: optionalText,
};

/** The fields that may be null. Nothing else of a log line is checked: a bad line must not cost the step its result. */
const EVENT_RULES: Readonly<Record<string, FieldRule>> = {
  subId: optionalText,
  name: optionalText,
  group: optionalText,
  status: optionalText,
  phase: optionalText,
  process: optionalText,
};

/**
 * Reads a result from a message body. Keeps fields that it does not know.
 * @throws InvalidMessageError naming the field, what was expected and the kind that was found.
 */
export function decodeStepResult(body: string): StepResult {
  const result = parseShape('StepResult', body, RULES);
  const { error, events } = result;
  return {
    ...result,
    ...(error === undefined ? {} : { error: checkedError(error) }),
    ...(events === undefined ? {} : { events: events.map(checkedEvent) }),
  };
}

/** The message body of a result. */
export function encodeStepResult(result: StepResult): string {
  return encodeJson(result);
}

/** The failure of an attempt, with its number, which is ours: core's `StepResult` does not say whose it is. */
export function failureOf(attempt: number | undefined, result: StepResult): StepResult {
  return result.status === 'failed' && attempt !== undefined ? Object.assign(result, { attempt }) : result;
}

/** Undefined for what has completed, and for what a worker of another make has sent. */
export function failedAttemptOf(result: StepResult): number | undefined {
  const attempt: unknown = Reflect.get(result, 'attempt');
  return result.status === 'failed' && typeof attempt === 'number' ? attempt : undefined;
}

function checkedError(error: StepError): StepError {
  return checkedFields('StepResult', { ...error }, ERROR_RULES, 'error.');
}

function checkedEvent(event: StepEvent, index: number): StepEvent {
  if (isRecord(event)) return withoutNulls(event, EVENT_RULES);
  throw new InvalidMessageError('StepResult', `expected events[${index}] to be an object, got ${kindOf(event)}`);
}
