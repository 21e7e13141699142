import { describe, expect, it } from 'vitest';
import { MAX_BATCH_ENTRIES, MAX_MESSAGE_BYTES, messageBytes } from '../../../src/wire/limits.ts';

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
