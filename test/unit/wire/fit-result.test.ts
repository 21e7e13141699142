import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitResult } from '../../../src/wire/fit-result.ts';
import { encodeJson } from '../../../src/wire/json.ts';
import { messageBytes } from '../../../src/wire/limits.ts';
import { decodeStepResult, encodeStepResult, type StepEvent, type StepResult } from '../../../src/wire/step-result.ts';
import { anyId, anyJson, anyText } from '../../support/json-arbitraries.ts';

const IDS = { runId: 'run-1', seq: 2, stepId: 'run-1:2' };
const LIMIT = 1_000;
const EVENT: StepEvent = { at: 1, level: 'info', message: 'x'.repeat(200) };
const EVENTS: StepEvent[] = [EVENT, EVENT, EVENT, EVENT, EVENT];

/** Sends what was fitted and reads it back. */
function sent(result: StepResult, limit = LIMIT, attributes?: Record<string, string>) {
  const fitted = fitResult(result, limit, attributes);
  expect(fitted.body).toBe(encodeStepResult(fitted.result));
  expect(messageBytes(fitted.body, attributes)).toBeLessThanOrEqual(limit);
  return { dropped: fitted.dropped, result: decodeStepResult(fitted.body) };
}

describe('a result that fits', () => {
  it('stays as it is', () => {
    const result: StepResult = { ...IDS, status: 'completed', output: { a: 1 }, events: [EVENT] };
    const fitted = fitResult(result, LIMIT);
    expect(fitted.result).toBe(result);
    expect(fitted.dropped).toEqual([]);
  });

  it('may be exactly as large as the limit, attributes counted', () => {
    const result: StepResult = { ...IDS, status: 'completed', output: 'é' };
    const bytes = Buffer.byteLength(encodeStepResult(result));
    expect(sent(result, bytes).dropped).toEqual([]);
    expect(sent(result, bytes + 'markString1'.length, { mark: '1' }).dropped).toEqual([]);
    expect(fitResult(result, bytes + 'markString1'.length - 1, { mark: '1' }).dropped).toEqual(['output']);
  });
});

describe('a completed result that is too large', () => {
  it('gives up its events for its output', () => {
    expect(sent({ ...IDS, status: 'completed', output: { chargeId: 'c' }, startedAt: 7, events: EVENTS })).toEqual({
      dropped: ['events'],
      result: { ...IDS, status: 'completed', output: { chargeId: 'c' }, startedAt: 7 },
    });
  });

  it('becomes a failure that is not retried when the output alone is too large', () => {
    const { dropped, result } = sent({ ...IDS, status: 'completed', output: 'secret'.repeat(1_000), startedAt: 7, events: EVENTS });
    expect(dropped).toEqual(['events', 'output']);
    expect(result).toEqual({
      ...IDS,
      status: 'failed',
      startedAt: 7,
      error: {
        code: 'result_too_large',
        retryable: false,
        message:
          'result of 6091 bytes is larger than the 1000 bytes that the results queue accepts (its MaximumMessageSize); give the worker a payloadStore, or return a reference to the data instead of the data',
      },
    });
  });

  it('becomes that failure without events too', () => {
    expect(sent({ ...IDS, status: 'completed', output: 'x'.repeat(2_000) }).dropped).toEqual(['output']);
  });
});

describe('a failed result that is too large', () => {
  const error = { message: 'card declined', code: 'declined', retryable: false };

  it('loses its events first', () => {
    expect(sent({ ...IDS, status: 'failed', error: { ...error, stack: 'at x' }, events: EVENTS })).toEqual({
      dropped: ['events'],
      result: { ...IDS, status: 'failed', error: { ...error, stack: 'at x' } },
    });
  });

  it('loses its output next, which it should not have', () => {
    expect(sent({ ...IDS, status: 'failed', error, output: 'x'.repeat(2_000), events: EVENTS })).toEqual({
      dropped: ['events', 'output'],
      result: { ...IDS, status: 'failed', error },
    });
  });

  it('loses its stack next', () => {
    expect(sent({ ...IDS, status: 'failed', error: { ...error, stack: 'at x\n'.repeat(500) }, startedAt: 7, events: EVENTS })).toEqual({
      dropped: ['events', 'stack'],
      result: { ...IDS, status: 'failed', error, startedAt: 7 },
    });
  });

  it('loses fields that nobody documented next', () => {
    const extra = { workerNotes: 'x'.repeat(2_000) };
    expect(sent({ ...IDS, status: 'failed', error: { ...error, ...extra }, ...extra })).toEqual({
      dropped: ['fields'],
      result: { ...IDS, status: 'failed', error },
    });
    expect(sent({ ...IDS, status: 'failed', ...extra })).toEqual({ dropped: ['fields'], result: { ...IDS, status: 'failed' } });
  });

  it('loses the end of its message last, and no more of it than it must', () => {
    const { dropped, result } = sent({ ...IDS, status: 'failed', error: { ...error, message: 'abcdefghij'.repeat(300), stack: 's' } });
    expect(dropped).toEqual(['stack', 'message']);
    expect(result).toMatchObject({ ...IDS, status: 'failed', error: { code: 'declined', retryable: false } });
    expect(result.error?.message).toMatch(/^(abcdefghij){80,}[a-j]*… \(cut\)$/);
    expect(Buffer.byteLength(encodeStepResult(result))).toBe(LIMIT);
  });

  it('keeps the code unless the code itself is what is too large', () => {
    const { dropped, result } = sent({
      ...IDS,
      status: 'failed',
      error: { message: 'card declined', code: 'c'.repeat(2_000), retryable: false },
    });
    expect(dropped).toEqual(['code']);
    expect(result.error).toEqual({ message: 'card declined', retryable: false });
    const both = sent({ ...IDS, status: 'failed', error: { message: 'm'.repeat(2_000), code: 'c'.repeat(2_000) } });
    expect(both.dropped).toEqual(['code', 'message']);
    expect(both.result.error?.message).toMatch(/^m{800,}… \(cut\)$/);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])('never halves an emoji, wherever the cut falls (%i)', (shift) => {
    const { result } = sent({ ...IDS, status: 'failed', error: { message: `${'a'.repeat(shift)}${'😀'.repeat(500)}` } });
    expect(result.error?.message).toMatch(/^a*(😀){60,}… \(cut\)$/u);
    expect(result.error?.message.isWellFormed()).toBe(true);
  });
});

describe('any result', () => {
  const big = fc.tuple(anyText, fc.integer({ min: 1, max: 200 })).map(([text, times]) => text.repeat(times));
  const error = fc.record(
    { message: big, code: fc.oneof(anyText, big), retryable: fc.boolean(), stack: big, detail: big },
    { requiredKeys: ['message'] },
  );
  const events = fc.array(fc.record({ at: fc.nat(), level: fc.constant('info' as const), message: big }), { maxLength: 3 });
  const result = fc.record(
    {
      runId: anyId,
      seq: fc.maxSafeInteger(),
      stepId: anyId,
      status: fc.constantFrom('completed' as const, 'failed' as const),
      output: fc.oneof(anyJson, big),
      error,
      startedAt: fc.nat(),
      events,
      note: big,
    },
    { requiredKeys: ['runId', 'seq', 'stepId', 'status'] },
  );

  it('fits any limit that leaves room for its ids, and says what was cut', () => {
    fc.assert(
      fc.property(
        result,
        fc.nat(4_000),
        fc.dictionary(fc.stringMatching(/^[a-z]{1,9}$/), anyText, { maxKeys: 2 }),
        (original, spare, attributes) => {
          const ids = Buffer.byteLength(encodeJson([original.runId, original.stepId]));
          const limit = 600 + ids + messageBytes('', attributes) + spare;
          const { result: fitted, body, dropped } = fitResult(original, limit, attributes);
          expect(messageBytes(body, attributes)).toBeLessThanOrEqual(limit);
          expect(body).toBe(encodeStepResult(fitted));
          expect(new Set(dropped).size).toBe(dropped.length);

          const { runId, seq, stepId } = original;
          expect(fitted).toMatchObject({ runId, seq, stepId });
          expect(fitted.startedAt).toBe(original.startedAt);
          if (dropped.length === 0) expect(fitted).toBe(original);
          if (dropped.length === 0 || fitted.status !== original.status) return;

          // Status kept: a part is missing if and only if it is named.
          expect('events' in original && !('events' in fitted)).toBe(dropped.includes('events'));
          expect(JSON.stringify(fitted.output) !== JSON.stringify(original.output)).toBe(dropped.includes('output'));
          expect(fitted.error?.stack !== original.error?.stack).toBe(dropped.includes('stack'));
          expect(fitted.error?.code !== original.error?.code).toBe(dropped.includes('code'));
          expect(fitted.error?.message !== original.error?.message).toBe(dropped.includes('message'));
          expect(fitted.error?.retryable).toBe(original.error?.retryable);
          const hadFields = 'note' in original || (original.error !== undefined && 'detail' in original.error);
          const hasFields = 'note' in fitted || (fitted.error !== undefined && 'detail' in fitted.error);
          expect(hadFields && !hasFields).toBe(dropped.includes('fields'));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('changes its status only from completed to a failure that is not retried', () => {
    fc.assert(
      fc.property(result, (original) => {
        const { result: fitted, dropped } = fitResult(original, 800 + 12 * (original.runId.length + original.stepId.length));
        const tooLarge = fitted.status !== original.status;
        if (tooLarge) expect(fitted).toMatchObject({ status: 'failed', error: { code: 'result_too_large', retryable: false } });
        if (tooLarge) expect(original.status).toBe('completed');
        expect(tooLarge).toBe(original.status === 'completed' && dropped.includes('output'));
      }),
      { numRuns: 500 },
    );
  });
});
