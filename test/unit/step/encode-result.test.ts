import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
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
const nested = (levels: number, innermost: unknown): unknown => {
  let value = innermost;
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
};

describe('encodeResult', () => {
  it('leaves a result alone that fits', () => {
    const result = completed({ a: 1 }, [line('x', 1)]);
    const encoded = encodeResult(result);
    expect(encoded).toEqual({ result, body: JSON.stringify(result), dropped: [] });
  });

  it.each<[string, unknown, string]>([
    ['a Map', new Map([['a', 1]]), 'output is a Map'],
    ['an empty Map', new Map(), 'output is a Map'],
    ['a Set within', { items: [{ tags: new Set(['a']) }] }, 'output.items[0].tags is a Set'],
    ['a promise that nobody awaited', { list: [1, Promise.resolve(2)] }, 'output.list[1] is a Promise'],
    ['a weak map', { cache: new WeakMap() }, 'output.cache is a WeakMap'],
    ['bytes', { raw: new ArrayBuffer(2) }, 'output.raw is an ArrayBuffer'],
    ['a subclass', { map: new (class Prices extends Map {})() }, 'output.map is a Map'],
    ['an iterator', { rows: [1].values() }, 'output.rows is an Array Iterator'],
    ['a generator', (function* rows() {})(), 'output is a Generator'],
    ['a query', { query: new URLSearchParams('a=1') }, 'output.query is a URLSearchParams'],
    ['headers', { headers: new Headers({ a: '1' }) }, 'output.headers is a Headers'],
    ['a weak reference', { held: new WeakRef({}) }, 'output.held is a WeakRef'],
    ['in what a toJSON gives', { order: { toJSON: () => ({ lines: new Map() }) } }, 'output.order.lines is a Map'],
    ['at a depth that only JSON reaches', nested(3_000, new Map()), `output${'[0]'.repeat(3_000)} is a Map`],
    ['behind what is empty', { empty: {}, map: new Map() }, 'output.map is a Map'],
  ])('fails a step whose output loses its contents: %s', (_what, output, found) => {
    const { result, dropped } = encodeResult(completed(output, [line('a', 1)]));
    expect(result).toEqual({
      ...BASE,
      status: 'failed',
      error: {
        message: `the output of the step cannot become JSON: ${found}, whose JSON is {}. Return plain data`,
        code: 'unserializable_output',
        retryable: false,
      },
      events: [line('a', 1)],
    });
    expect(dropped).toEqual(['output']);
  });

  it.each<[string, unknown]>([
    ['an empty object', {}],
    ['empty objects', { a: {}, b: [{}] }],
    ['an object of a class without fields', new (class Acknowledged {})()],
    ['an object without a prototype', Object.create(null)],
    ['the text of one', '{}'],
    ['an error of what the step can do without', [{ status: 'rejected', reason: new Error('no') }]],
    ['a Map that says its JSON', Object.assign(new Map([['a', 1]]), { toJSON: () => ({}) })],
    ['a Map that nobody sees', { fn: () => new Map(), [Symbol('s')]: new Map() }],
    [
      'a getter that throws the second time',
      {
        a: {},
        get b() {
          return fickle(1);
        },
      },
    ],
  ])('leaves an output alone that holds no more than its JSON: %s', (_what, output) => {
    expect(encodeResult(completed(output))).toMatchObject({ result: { status: 'completed' }, dropped: [] });
  });

  it('fails a step whose output loses its contents, beside a log line that cannot become JSON', () => {
    const { result, dropped } = encodeResult(completed({ prices: new Map() }, [line('a', 1), line('b', 2n)]));
    expect(result).toMatchObject({ status: 'failed', error: { code: 'unserializable_output' }, events: [line('a', 1), line('b')] });
    expect(dropped).toEqual(['events', 'output']);
  });

  it('looks into no output whose JSON holds no empty object', () => {
    const output = { map: new Map(), toJSON: vi.fn(() => ({ a: 1 })) };
    expect(encodeResult(completed({ nested: output })).result.status).toBe('completed');
    expect(output.toJSON).toHaveBeenCalledTimes(1);
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
