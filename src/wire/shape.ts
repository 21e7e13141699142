import { InvalidMessageError, type MessageKind } from '../errors.ts';
import { kindOf } from './json.ts';

/**
 * What one field of a message must be. An `optional` field may be absent or null: Python writes null for an absent one.
 */
export interface FieldRule {
  readonly expected: string;
  readonly matches: (value: unknown) => boolean;
  readonly optional: boolean;
}

/** One rule for each field of a type. A field that is added to the type does not compile without its rule. */
export type Rules<T> = { readonly [Field in keyof T]-?: FieldRule };

// Each a constant of its own: a bundle holds those that its messages need.

/** Absent, or any value: what an input or output is concerns only the workflow and the step. */
export const anything: FieldRule = { expected: 'anything', matches: () => true, optional: false };
export const text: FieldRule = {
  expected: 'a non-empty string',
  matches: (value) => typeof value === 'string' && value !== '',
  optional: false,
};
export const string: FieldRule = { expected: 'a string', matches: (value) => typeof value === 'string', optional: false };
export const number: FieldRule = { expected: 'a number', matches: (value) => typeof value === 'number', optional: false };
export const array: FieldRule = { expected: 'an array', matches: (value) => Array.isArray(value), optional: false };
export const integer: FieldRule = { expected: 'an integer', matches: (value) => Number.isSafeInteger(value), optional: false };
export const positiveInteger: FieldRule = {
  expected: 'an integer of at least 1',
  matches: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
  optional: false,
};

export function oneOf(...values: readonly string[]): FieldRule {
  const expected = values.map((value) => `"${value}"`).join(' or ');
  return { expected, matches: (value) => typeof value === 'string' && values.includes(value), optional: false };
}

export const optionalText: FieldRule = { expected: 'a string', matches: (value) => typeof value === 'string', optional: true };
export const optionalNumber: FieldRule = { expected: 'a number', matches: (value) => typeof value === 'number', optional: true };
export const optionalBoolean: FieldRule = { expected: 'a boolean', matches: (value) => typeof value === 'boolean', optional: true };
export const optionalObject: FieldRule = { expected: 'an object', matches: isRecord, optional: true };
export const optionalArray: FieldRule = { expected: 'an array', matches: (value) => Array.isArray(value), optional: true };

/**
 * Parses a body and checks the fields of the object it holds.
 *
 * Gives the parsed object itself, so unknown fields are kept. Optional fields that are null are left out. Keys such as
 * `__proto__` are plain own properties for `JSON.parse`, and stay so: a spread defines properties, it does not set
 * them.
 */
export function parseShape<T extends object>(kind: MessageKind, body: string, rules: Rules<T>): T {
  return checkedFields(kind, parseObject(kind, body), rules, '');
}

/**
 * Checks the fields of an object, and gives it without the optional ones that are null.
 * @param path the object's place in the message, for errors; empty, or ending in a dot
 */
export function checkedFields<T extends object>(kind: MessageKind, value: Record<string, unknown>, rules: Rules<T>, path: string): T;
/** The same, of an object whose type is known and by rules that were chosen for it. */
export function checkedFields<T extends Record<string, unknown>>(
  kind: MessageKind,
  value: T,
  rules: Readonly<Record<string, FieldRule>>,
  path: string,
): T;
export function checkedFields(
  kind: MessageKind,
  value: Record<string, unknown>,
  rules: Readonly<Record<string, FieldRule>>,
  path: string,
): object {
  let hasNulls = false;
  for (const { field, expected, matches, optional: mayBeAbsent } of fieldsOf(rules)) {
    const found = ownField(value, field);
    if (mayBeAbsent && (found === undefined || found === null)) hasNulls ||= found === null;
    else if (!matches(found)) throw new InvalidMessageError(kind, `expected ${path}${field} to be ${expected}, got ${kindOf(found)}`);
  }
  return hasNulls ? withoutNulls(value, rules) : value;
}

/** A copy without the optional fields that are null, or the value itself if there are none. */
export function withoutNulls<T extends Record<string, unknown>>(value: T, rules: Readonly<Record<string, FieldRule>>): T {
  const nulls = fieldsOf(rules).filter(({ field, optional: mayBeAbsent }) => mayBeAbsent && ownField(value, field) === null);
  if (nulls.length === 0) return value;
  const copy = { ...value };
  for (const { field } of nulls) Reflect.deleteProperty(copy, field);
  return copy;
}

interface NamedRule extends FieldRule {
  readonly field: string;
}

const fieldsByRules = new WeakMap<object, readonly NamedRule[]>();

/** The rules as a list, made once for each type and not for each message. */
function fieldsOf(rules: Readonly<Record<string, FieldRule>>): readonly NamedRule[] {
  let fields = fieldsByRules.get(rules);
  if (fields === undefined) {
    fields = Object.entries(rules).map(([field, rule]) => ({ field, ...rule }));
    fieldsByRules.set(rules, fields);
  }
  return fields;
}

/** Own fields only: a body may name a field `constructor`. */
function ownField(value: Readonly<Record<string, unknown>>, field: string): unknown {
  return Object.hasOwn(value, field) ? value[field] : undefined;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseObject(kind: MessageKind, body: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    // The parser's message quotes the body. So the error neither repeats it nor has it as its cause.
    throw new InvalidMessageError(kind, `expected JSON, got ${Buffer.byteLength(body)} bytes that do not parse`);
  }
  if (!isRecord(parsed)) throw new InvalidMessageError(kind, `expected an object, got ${kindOf(parsed)}`);
  return parsed;
}
