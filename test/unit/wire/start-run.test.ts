import { describe, expect, it } from 'vitest';
import { InvalidMessageError } from '../../../src/errors.ts';
import { checkedStart, decodeStartRun, encodeStartRun } from '../../../src/wire/start-run.ts';

const START = {
  tenant: 'acme',
  workflow: 'checkout',
  input: { orderId: 'o-1' },
  runId: 'run-1',
  tags: ['web'],
  searchAttributes: { amount: 12, tier: 'pro', gift: false },
};

describe('a start on the wire', () => {
  it('survives encoding, with fields that are not known', () => {
    const later = { ...START, priority: 3 };
    expect(decodeStartRun(encodeStartRun(later))).toEqual(later);
  });

  it('needs the name of its workflow and nothing else', () => {
    expect(decodeStartRun('{"workflow":"checkout"}')).toEqual({ workflow: 'checkout' });
  });

  it('reads a null that Python writes for an absent field as absent, but keeps an input that is null', () => {
    const nulls = { tenant: null, workflow: 'checkout', input: null, runId: null, tags: null, searchAttributes: null };
    expect(decodeStartRun(JSON.stringify(nulls))).toEqual({ workflow: 'checkout', input: null });
  });

  it.each([
    ['{"workflow":""}', 'expected workflow to be a non-empty string, got an empty string'],
    ['{"input":1}', 'expected workflow to be a non-empty string, got nothing'],
    ['{"workflow":"a","runId":""}', 'expected runId to be a non-empty string, got an empty string'],
    ['{"workflow":"a","tenant":4}', 'expected tenant to be a string, got a number'],
    ['{"workflow":"a","tags":["b",4]}', 'expected tags to be an array of strings, got an array'],
    [
      '{"workflow":"a","searchAttributes":{"b":{}}}',
      'expected searchAttributes to be an object of strings, numbers and booleans, got an object',
    ],
    ['[]', 'expected an object, got an array'],
    ['card 4111', 'expected JSON, got 9 bytes that do not parse'],
  ])('%s is refused', (body, problem) => {
    expect(() => decodeStartRun(body)).toThrow(new InvalidMessageError('StartRunMessage', problem));
  });

  it('sending checks it, too', () => {
    expect(checkedStart(START)).toEqual(START);
    expect(() => checkedStart({ ...START, workflow: '' })).toThrow(InvalidMessageError);
  });
});
