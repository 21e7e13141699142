import { describe, expect, it } from 'vitest';
import { judgeResponse } from '../../../src/local/response.ts';

const BATCH = ['m1', 'm2', 'm3'];

function cycle(): object {
  const value: Record<string, unknown> = {};
  value['self'] = value;
  return value;
}

const report = (...itemIdentifiers: unknown[]) => ({ batchItemFailures: itemIdentifiers.map((itemIdentifier) => ({ itemIdentifier })) });

describe('a response with ReportBatchItemFailures', () => {
  it.each<[string, unknown]>([
    ['an empty list', { batchItemFailures: [] }],
    ['a null list', { batchItemFailures: null }],
    ['a list that JSON leaves out', { batchItemFailures: undefined }],
    ['an empty response', {}],
    ['an empty text', ''],
    ['null', null],
    ['nothing', undefined],
    ['what JSON has no word for', () => 1],
  ])('%s is a full success', (_name, response) => {
    expect(judgeResponse(BATCH, response, true)).toEqual({ succeeded: BATCH, failed: [] });
  });

  it.each<[string, unknown, RegExp]>([
    ['a list that is an object', { batchItemFailures: {} }, /expected batchItemFailures to be an array, got an object/],
    ['a list that is text', { batchItemFailures: 'm1' }, /expected batchItemFailures to be an array, got a string/],
    ['an empty identifier', report('m1', ''), /batchItemFailures\[1\]\.itemIdentifier to be a message id, got an empty string/],
    ['a null identifier', report(null), /batchItemFailures\[0\]\.itemIdentifier to be a message id, got null/],
    ['a number for an identifier', report(1), /got a number/],
    ['a wrong key name', { batchItemFailures: [{ messageId: 'm1' }] }, /itemIdentifier to be a message id, got nothing/],
    ['bare ids', { batchItemFailures: ['m1'] }, /itemIdentifier to be a message id, got nothing/],
    ['a null entry', { batchItemFailures: [null] }, /itemIdentifier to be a message id, got nothing/],
    [
      'an id that is not in the batch',
      report('m1', 'm9'),
      /batchItemFailures\[1\]\.itemIdentifier is not the id of a message of this batch/,
    ],
    ['text', 'done', /expected the response to be an object, got a string/],
    ['a number', 200, /expected the response to be an object, got a number/],
    ['a list', [], /expected the response to be an object, got an array/],
    ['a BigInt', { batchItemFailures: [], took: 1n }, /cannot become JSON/],
    ['a cycle', cycle(), /cannot become JSON/],
    ['more than 6 MB', { batchItemFailures: [], text: 'x'.repeat(6 * 1_048_576) }, /larger than 6291456 bytes/],
  ])('%s is a full failure', (_name, response, reason) => {
    expect(judgeResponse(BATCH, response, true)).toEqual({ succeeded: [], failed: BATCH, reason: expect.stringMatching(reason) });
  });

  it('keeps the reported messages, in the order of the batch and each once', () => {
    expect(judgeResponse(BATCH, report('m3', 'm1', 'm3'), true)).toEqual({ succeeded: ['m2'], failed: ['m1', 'm3'] });
  });

  it('reports every message as failed where the answer lists all', () => {
    expect(judgeResponse(BATCH, report(...BATCH), true)).toEqual({ succeeded: [], failed: BATCH });
  });

  it('reads the answer after a round trip through JSON', () => {
    const failures = { toJSON: () => [{ itemIdentifier: 'm2' }] };
    expect(judgeResponse(BATCH, { batchItemFailures: failures }, true)).toEqual({ succeeded: ['m1', 'm3'], failed: ['m2'] });
  });

  it('ignores further fields', () => {
    const response = { batchItemFailures: [{ itemIdentifier: 'm2', why: 'x' }], took: 5 };
    expect(judgeResponse(BATCH, response, true).failed).toEqual(['m2']);
  });

  it('an object with other fields only is a full success, as on Lambda, with a reason to doubt it', () => {
    for (const response of [{ statusCode: 200 }, { batchItemFailure: [{ itemIdentifier: 'm1' }] }]) {
      expect(judgeResponse(BATCH, response, true)).toEqual({
        succeeded: BATCH,
        failed: [],
        reason: expect.stringContaining('no batchItemFailures'),
      });
    }
  });

  it('reasons never quote the response', () => {
    for (const response of ['4111-1111', report('4111-1111'), { batchItemFailures: [{ id: '4111-1111' }] }]) {
      expect(judgeResponse(BATCH, response, true).reason).not.toContain('4111');
    }
  });
});

describe('a response without ReportBatchItemFailures', () => {
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a failed record', report('m1')],
    ['an unknown id', report('m9')],
    ['text', 'done'],
  ])('%s is a full success', (_name, response) => {
    expect(judgeResponse(BATCH, response, false)).toEqual({ succeeded: BATCH, failed: [] });
  });

  it('a response that cannot become JSON fails the invocation', () => {
    expect(judgeResponse(BATCH, 1n, false)).toEqual({ succeeded: [], failed: BATCH, reason: expect.stringContaining('JSON') });
  });
});
