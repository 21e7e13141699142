import type { StartRunMessage } from '@dudousxd/nestjs-durable-core';
import { encodeJson } from './json.ts';
import { anything, checkedFields, type FieldRule, isRecord, optionalText, parseShape, type Rules, text } from './shape.ts';

/**
 * Anybody → engine: start a run. The payload that nestjs-durable documents for every transport, but that `tenant` may
 * be absent: the queue already belongs to one prefix and namespace.
 * @see {@link https://www.npmjs.com/package/@dudousxd/nestjs-durable-core} `StartRunMessage`
 */
export interface StartRun extends Omit<StartRunMessage, 'tenant'> {
  /** Namespace of the run. Absent: that of the engine. */
  tenant?: string | undefined;
}

/** What the other SDKs write where there is no namespace. */
export const DEFAULT_TENANT = 'default';

/**
 * Also the two fields of a request that a caller fills in, so that it learns of a mistake before the message is sent.
 */
export const TAGS: FieldRule = {
  expected: 'an array of strings',
  matches: (value) => Array.isArray(value) && value.every((tag) => typeof tag === 'string'),
  optional: true,
};
const ATTRIBUTE_TYPES: ReadonlySet<string> = new Set(['string', 'number', 'boolean']);
export const SEARCH_ATTRIBUTES: FieldRule = {
  expected: 'an object of strings, numbers and booleans',
  matches: (value) => isRecord(value) && Object.values(value).every((attribute) => ATTRIBUTE_TYPES.has(typeof attribute)),
  optional: true,
};

const RULES: Rules<StartRun> = {
  tenant: optionalText,
  workflow: text,
  input: anything,
  runId: { ...text, optional: true },
  tags: TAGS,
  searchAttributes: SEARCH_ATTRIBUTES,
};

/**
 * Reads a start from a message body. Keeps fields that it does not know.
 * @throws InvalidMessageError naming the field, what was expected and the kind that was found.
 */
export function decodeStartRun(body: string): StartRun {
  return parseShape('StartRunMessage', body, RULES);
}

/**
 * The fields of a start that is to be sent.
 * @throws InvalidMessageError as {@link decodeStartRun}
 */
export function checkedStart(start: StartRun): StartRun {
  return checkedFields<StartRun>('StartRunMessage', { ...start }, RULES, '');
}

/** The message body of a start. */
export function encodeStartRun(start: StartRun): string {
  return encodeJson(start);
}
