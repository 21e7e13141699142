import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitsInBytes, MAX_BATCH_ENTRIES, MAX_MESSAGE_BYTES, messageBytes } from '../../../src/wire/limits.ts';

describe('messageBytes', () => {
  it.each([
    ['', 0],
    ['abc', 3],
    ['é', 2],
    ['€', 3],
    ['😀', 4],
  ])('counts the UTF-8 bytes of %j', (body, bytes) => {
    expect(messageBytes(body)).toBe(bytes);
  });

  it('counts name, type and value of every attribute', () => {
    expect(messageBytes('', { a: '' })).toBe('aString'.length);
    expect(messageBytes('ab', { é: '€', name: 'value' })).toBe(2 + (2 + 6 + 3) + (4 + 6 + 5));
  });

  it('knows the limits of SQS', () => {
    expect(MAX_MESSAGE_BYTES).toBe(1024 * 1024);
    expect(MAX_BATCH_ENTRIES).toBe(10);
  });
});

describe('fitsInBytes', () => {
  it('says what counting says, of any text and around any limit', () => {
    const attributes = fc.option(fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), { nil: undefined });
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), attributes, fc.integer({ min: -40, max: 40 }), (body, given, off) => {
        const bytes = messageBytes(body, given);
        expect(fitsInBytes(body, given, bytes + off)).toBe(off >= 0);
      }),
    );
  });
});
