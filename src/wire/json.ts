/**
 * Characters that a message body must not hold as they are.
 *
 * SQS refuses U+FFFE and U+FFFF, which `JSON.stringify` does not escape. Surrogate pairs (emoji) are legal on AWS, but
 * SQS emulators refuse them if they check a body one UTF-16 unit at a time. A JSON escape means the same to every
 * reader, and outside of string literals JSON has none of these characters.
 */
const NOT_SENT_RAW = /[\uD800-\uDFFF\uFFFE\uFFFF]/g;

/**
 * JSON text of an object that SQS accepts as a body. Throws what `JSON.stringify` throws (BigInt, cycles, a throwing
 * `toJSON`).
 */
export function encodeJson(value: object): string {
  return JSON.stringify(value).replace(NOT_SENT_RAW, unicodeEscape);
}

/** `\u009b` for the UTF-16 unit that it stands for; within a JSON string it means the same. */
export function unicodeEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** The kind of a value, for error messages, which must not show the value. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Promise) return 'a promise';
  if (typeof value === 'object') return 'an object';
  return value === '' ? 'an empty string' : `a ${typeof value}`;
}
