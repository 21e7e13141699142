import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeResult } from '../../../src/step/encode-result.ts';
import { messageBytes } from '../../../src/wire/limits.ts';
import { decodeStepResult, type StepEvent, type StepResult } from '../../../src/wire/step-result.ts';

const BASE = { runId: 'r', seq: 1, stepId: 'r:1', startedAt: 5 };
const line = (message: string, data?: unknown): StepEvent => ({ at: 1, level: 'info', message, ...(data === undefined ? {} : { data }) });
const completed = (output: unknown, events?: StepEvent[]): StepResult => ({
  ...BASE,
  status: 'completed',
  output,
  ...(events ? { events } : {}),
});
const fails = (): never => {
  throw new Error('no');
};
/** Becomes JSON the first `times` times only. */
const fickle = (times: number) => {
  let left = times;
  return { toJSON: () => (left-- > 0 ? 'fine' : fails()) };
};

describe('encodeResult', () => {
  it('leaves a result alone that fits', () => {
    const result = completed({ a: 1 }, [line('x', 1)]);
    const encoded = encodeResult(result);
    expect(encoded).toEqual({ result, body: JSON.stringify(result), dropped: [] });
  });

  it('drops no event for another’s data', () => {
    const { result, dropped } = encodeResult(completed(1, [line('a', 1), line('b', 1n), line('c', 3)]));
    expect(result.events).toEqual([line('a', 1), line('b'), line('c', 3)]);
    expect(dropped).toEqual(['events']);
  });

  it('drops an event that has nothing to keep', () => {
    const odd: StepEvent = Object.assign(line('odd'), { message: 1n });
    expect(encodeResult(completed(1, [odd, line('b')])).result).toMatchObject({ status: 'completed', events: [line('b')] });
  });

  it('keeps events beside an output that cannot become JSON', () => {
    const { result, dropped } = encodeResult(completed(1n, [line('a', 1), line('b', 2n)]));
    expect(result).toMatchObject({ ...BASE, status: 'failed', error: { code: 'unserializable_output', retryable: false } });
    expect(result.events).toEqual([line('a', 1), line('b')]);
    expect(dropped).toEqual(['events', 'output']);
  });

  it('drops nothing twice where lines are both unreadable and too many', () => {
    const { result, dropped } = encodeResult(completed('kept', [line('a', 1n), line('x'.repeat(500))]), {}, 300);
    expect(result).toEqual(completed('kept'));
    expect(dropped).toEqual(['events']);
  });

  it.each([0, 1, 2, 3, 4])('gives a body even where a toJSON works %i times only', (times) => {
    for (const result of [
      completed(fickle(times)),
      completed(1, [line('a', fickle(times))]),
      completed(fickle(times), [line('a', fickle(times))]),
    ]) {
      expect(decodeStepResult(encodeResult(result).body)).toMatchObject(BASE);
    }
  });

  it('always gives a body that fits and that the engine can read', () => {
    const odd = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withMap: true }),
      fc.constant({ toJSON: fails }),
      fc.string({ maxLength: 900 }),
    );
    const events = fc.array(fc.tuple(fc.string(), odd), { maxLength: 4 });
    const statuses = fc.constantFrom('completed' as const, 'failed' as const);
    return fc.assert(
      fc.property(odd, events, statuses, fc.string({ maxLength: 900 }), (output, lines, status, message) => {
        const result: StepResult = {
          ...BASE,
          status,
          ...(status === 'completed' ? { output } : { error: { message, code: 'c' } }),
          events: lines.map(([text, data]) => line(text, data)),
        };
        const { body } = encodeResult(result, { marker: '1' }, 600);
        expect(messageBytes(body, { marker: '1' })).toBeLessThanOrEqual(600);
        expect(decodeStepResult(body)).toMatchObject({ runId: 'r', seq: 1, stepId: 'r:1' });
        if (status === 'failed') expect(decodeStepResult(body)).toMatchObject({ status, error: { code: 'c' } });
      }),
    );
  });
});
