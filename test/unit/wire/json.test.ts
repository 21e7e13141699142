import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeJson, kindOf } from '../../../src/wire/json.ts';
import { anyJson } from '../../support/json-arbitraries.ts';

/** What AWS refuses, and what emulators that look at one UTF-16 unit at a time refuse. */
const REFUSED = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD]/;

describe('encodeJson', () => {
  it.each([
    ['an emoji', '😀', '"\\ud83d\\ude00"'],
    ['half a surrogate pair', 'a\uD83D', '"a\\ud83d"'],
    ['the other half', '\uDE00b', '"\\ude00b"'],
    ['halves in the wrong order', '\uDE00\uD83D', '"\\ude00\\ud83d"'],
    ['U+FFFE and U+FFFF', '\uFFFE\uFFFF', '"\\ufffe\\uffff"'],
    ['the last characters that may stand', '\uD7FF\uE000\uFFFD', '"\uD7FF\uE000\uFFFD"'],
    ['control characters', '\u0000\u001F\u007F\n', '"\\u0000\\u001f\u007F\\n"'],
    ['a backslash before an emoji', '\\😀', '"\\\\\\ud83d\\ude00"'],
    ['text that looks like an escape', '\\ud83d', '"\\\\ud83d"'],
  ])('writes %s', (_what, text, json) => {
    expect(encodeJson([text])).toBe(`[${json}]`);
    expect(encodeJson({ [text]: 1 })).toBe(`{${json}:1}`);
  });

  it('uses only characters that SQS accepts, and reads back as the same value', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        const body = encodeJson({ value });
        expect(body).not.toMatch(REFUSED);
        // Compared with what JSON itself keeps: it writes -0 as 0.
        expect(isDeepStrictEqual(JSON.parse(body), JSON.parse(JSON.stringify({ value })))).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('throws what JSON.stringify throws', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    expect(() => encodeJson({ big: 1n })).toThrow(TypeError);
    expect(() => encodeJson(cycle)).toThrow(TypeError);
    let deep: unknown = 0;
    for (let level = 0; level < 100_000; level += 1) deep = [deep];
    expect(() => encodeJson({ deep })).toThrow(RangeError);
  });
});

describe('kindOf', () => {
  it.each([
    [null, 'null'],
    [undefined, 'nothing'],
    [[], 'an array'],
    [{}, 'an object'],
    [Promise.resolve(), 'a promise'],
    ['', 'an empty string'],
    ['4111', 'a string'],
    [4111, 'a number'],
    [false, 'a boolean'],
  ])('says of %j: %s', (value, kind) => {
    expect(kindOf(value)).toBe(kind);
  });
});
