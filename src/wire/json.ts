/**
 * JSON as a message body.
 *
 * SQS refuses U+FFFE and U+FFFF, which `JSON.stringify` leaves as they are. Characters outside the basic plane (emoji) are
 * legal on AWS but refused by SQS emulators that test a body one UTF-16 unit at a time, so they are escaped too: the JSON
 * value is the same for every reader, and a local run does not fail where AWS would not. Escaping may only ever touch the
 * inside of string literals, and outside of them no such character can stand.
 */
const NOT_SENT_RAW = /[\uD800-\uDFFF\uFFFE\uFFFF]/;
const EACH_NOT_SENT_RAW = new RegExp(NOT_SENT_RAW, 'g');

/** JSON text of an object that SQS accepts as a body. Throws what `JSON.stringify` throws (BigInt, cycles, a throwing `toJSON`). */
export function encodeJson(value: object): string {
  const text = JSON.stringify(value);
  // Over at once where every character is below U+0100, as in most results: V8 keeps such a text as bytes, which cannot hold these.
  if (!NOT_SENT_RAW.test(text)) return text;
  return text.replace(EACH_NOT_SENT_RAW, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The kind of a decoded value, for error messages: says what it is without saying its contents. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Promise) return 'a promise';
  if (typeof value === 'object') return 'an object';
  return value === '' ? 'an empty string' : `a ${typeof value}`;
}
