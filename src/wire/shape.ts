import { InvalidMessageError } from '../errors.ts';
import { kindOf } from './json.ts';

/** What one field of a message must be. `optional` fields may be absent or null (Python writes null). */
export interface FieldRule {
  readonly expected: string;
  readonly matches: (value: unknown) => boolean;
  readonly optional: boolean;
}

export const required = {
  text: rule('a non-empty string', (value) => typeof value === 'string' && value !== ''),
  integer: rule('an integer', Number.isSafeInteger),
  positiveInteger: rule('an integer of at least 1', (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 1),
  oneOf: (...values: readonly string[]) =>
    rule(values.map((value) => `"${value}"`).join(' or '), (value) => typeof value === 'string' && values.includes(value)),
};

export const optional = {
  text: maybe('a string', (value) => typeof value === 'string'),
  number: maybe('a number', (value) => typeof value === 'number'),
  boolean: maybe('a boolean', (value) => typeof value === 'boolean'),
  object: maybe('an object', isRecord),
  array: maybe('an array', Array.isArray),
};

/**
 * Parses a body and checks the fields of the object it holds.
 *
 * Gives the parsed object itself, so fields that nobody here knows are kept; optional fields that are null are left out.
 * Keys such as `__proto__` come out of `JSON.parse` as plain own properties and stay that (a spread defines, never sets).
 */
export function parseShape(
  kind: 'RemoteTask' | 'StepResult',
  body: string,
  rules: Readonly<Record<string, FieldRule>>,
): Record<string, unknown> {
  const parsed = parseObject(kind, body);
  checkFields(kind, parsed, rules, '');
  return withoutNulls(parsed, rules);
}

/** Checks the fields of a nested object; `path` ends in a dot. */
export function checkFields(
  kind: 'RemoteTask' | 'StepResult',
  value: Record<string, unknown>,
  rules: Readonly<Record<string, FieldRule>>,
  path: string,
): void {
  for (const [field, { expected, matches, optional: mayBeAbsent }] of Object.entries(rules)) {
    const found = Object.hasOwn(value, field) ? value[field] : undefined;
    if (mayBeAbsent && (found === undefined || found === null)) continue;
    if (!matches(found)) throw new InvalidMessageError(kind, `expected ${path}${field} to be ${expected}, got ${kindOf(found)}`);
  }
}

/** A copy without those optional fields that are null; the value itself where there are none. */
export function withoutNulls(value: Record<string, unknown>, rules: Readonly<Record<string, FieldRule>>): Record<string, unknown> {
  const nulls = Object.keys(rules).filter((field) => rules[field]?.optional && Object.hasOwn(value, field) && value[field] === null);
  if (nulls.length === 0) return value;
  const copy = { ...value };
  for (const field of nulls) delete copy[field];
  return copy;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseObject(kind: 'RemoteTask' | 'StepResult', body: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    // The parser's own message quotes the body, so it is neither repeated nor kept as the cause.
    throw new InvalidMessageError(kind, `expected JSON, got ${Buffer.byteLength(body)} bytes that do not parse`);
  }
  if (!isRecord(parsed)) throw new InvalidMessageError(kind, `expected an object, got ${kindOf(parsed)}`);
  return parsed;
}

function rule(expected: string, matches: (value: unknown) => boolean): FieldRule {
  return { expected, matches, optional: false };
}

function maybe(expected: string, matches: (value: unknown) => boolean): FieldRule {
  return { expected, matches, optional: true };
}
