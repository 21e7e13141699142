import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidMessageError } from '../../../src/errors.ts';
import { decodeStepResult, encodeStepResult, type StepResult } from '../../../src/wire/step-result.ts';
import { anyId, anyJson, anyText } from '../../support/json-arbitraries.ts';
import { wireFixture, wireFixtureFields, without } from '../../support/wire-fixtures.ts';

const MINIMAL: StepResult = { runId: 'run-7f3a', seq: 3, stepId: 'run-7f3a:3', status: 'completed' };

describe('golden results', () => {
  it('reads the fields that every result has', () => {
    expect(decodeStepResult(wireFixture('result-minimal'))).toStrictEqual(MINIMAL);
  });

  it('reads a completed result', () => {
    expect(decodeStepResult(wireFixture('result-completed'))).toStrictEqual({
      ...MINIMAL,
      output: { chargeId: 'ch_1', nothing: null },
      startedAt: 1_700_000_000_123,
    });
  });

  it('reads a failed result', () => {
    expect(decodeStepResult(wireFixture('result-failed'))).toStrictEqual({
      ...MINIMAL,
      status: 'failed',
      error: {
        message: 'card declined',
        code: 'declined',
        retryable: false,
        stack: 'Error: card declined\n    at charge (charge.ts:1:1)',
      },
      startedAt: 1_700_000_000_123,
    });
  });

  it('reads every optional field, and every field of an event', () => {
    expect(decodeStepResult(wireFixture('result-full'))).toStrictEqual({
      ...MINIMAL,
      output: { ok: true },
      error: { message: '', code: '', retryable: true, stack: '' },
      startedAt: 1_700_000_000_123,
      events: [
        { at: 1_700_000_000_124, level: 'debug', message: 'dialling' },
        {
          at: 1_700_000_000_125,
          level: 'info',
          message: '',
          subId: 'sub-1',
          name: 'capture',
          group: 'lane-a',
          status: 'ok',
          phase: 'settling',
          process: 'capture',
          data: { durationMs: 12.5, items: [1, null] },
        },
        { at: 1_700_000_000_126, level: 'warn', message: 'slow', status: 'skipped', data: null },
        { at: 1_700_000_000_127, level: 'error', message: 'gone', status: 'failed' },
      ],
    });
  });

  it('reads nulls that Python wrote as absent fields, in the error and in events too; a null output or data is a value', () => {
    expect(decodeStepResult(wireFixture('result-python-nulls'))).toStrictEqual({
      ...MINIMAL,
      status: 'failed',
      output: null,
      error: { message: 'boom' },
      events: [{ at: 1_700_000_000_124, level: 'info', message: 'hi', data: null }],
    });
    expect(decodeStepResult(wireFixture('result-python-completed'))).toStrictEqual({
      ...MINIMAL,
      output: null,
      startedAt: 1_700_000_000_123.456,
    });
  });

  it.each(['result-minimal', 'result-completed', 'result-failed', 'result-full', 'result-unknown-fields'])(
    'decodes %s and encodes it back to the same JSON, unknown fields included',
    (name) => {
      const decoded = decodeStepResult(wireFixture(name));
      expect(decoded).toStrictEqual(wireFixtureFields(name));
      expect(JSON.parse(encodeStepResult(decoded))).toStrictEqual(wireFixtureFields(name));
    },
  );

  it('takes a log line that is not as documented: it must not cost the step its result', () => {
    const events = [{ level: 7, text: 'no message' }, {}];
    expect(decodeStepResult(JSON.stringify({ ...MINIMAL, events }))).toStrictEqual({ ...MINIMAL, events });
  });
});

describe('bodies that are no result', () => {
  it.each<[string, unknown, string]>([
    ['runId', null, 'runId to be a non-empty string, got null'],
    ['seq', '3', 'seq to be an integer, got a string'],
    ['stepId', '', 'stepId to be a non-empty string, got an empty string'],
    ['status', 'pending-4111', 'status to be "completed" or "failed", got a string'],
    ['status', undefined, 'status to be "completed" or "failed", got nothing'],
    ['status', ['completed'], 'status to be "completed" or "failed", got an array'],
    ['error', 'boom 4111', 'error to be an object, got a string'],
    ['error', {}, 'error.message to be a string, got nothing'],
    ['error', { message: null }, 'error.message to be a string, got null'],
    ['error', { message: 'm', code: 4111 }, 'error.code to be a string, got a number'],
    ['error', { message: 'm', retryable: 'no' }, 'error.retryable to be a boolean, got a string'],
    ['error', { message: 'm', stack: ['4111'] }, 'error.stack to be a string, got an array'],
    ['startedAt', '2026-11-23', 'startedAt to be a number, got a string'],
    ['events', { 0: {} }, 'events to be an array, got an object'],
    ['events', [{}, 'line 4111'], 'events[1] to be an object, got a string'],
    ['events', [null], 'events[0] to be an object, got null'],
  ])('refuses a wrong %s (case %#)', (field, value, problem) => {
    const error = failure(JSON.stringify({ ...MINIMAL, [field]: value }));
    expect(error.message).toBe(`message body is not a StepResult: expected ${problem}`);
    expect(error).not.toHaveProperty('cause');
  });

  it.each(['', 'null', '[]', '"x"', '{'])('refuses %j', (body) => {
    expect(failure(body).message).toMatch(/^message body is not a StepResult: expected (an object|JSON), got /);
  });

  it('refuses a task', () => {
    expect(failure(wireFixture('task-full')).problem).toBe('expected status to be "completed" or "failed", got nothing');
  });
});

describe('hostile bodies', () => {
  it('keeps __proto__ and its like at every level and pollutes nothing', () => {
    const nasty = '"__proto__":{"message":"inherited","polluted":true},"constructor":1,"toString":2';
    const body = `{"runId":"r","seq":1,"stepId":"s","status":"failed","output":{${nasty}},${nasty},"startedAt":null,"error":{"message":"m","code":null,${nasty}},"events":[{"subId":null,${nasty}}]}`;
    const decoded = decodeStepResult(body);
    for (const part of [decoded, decoded.error, decoded.output, decoded.events?.[0]]) {
      expect(Object.getPrototypeOf(part)).toBe(Object.prototype);
      expect(Object.keys(part ?? {})).toContain('__proto__');
    }
    expect(encodeStepResult(decoded).split(nasty)).toHaveLength(5);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  it('takes no error message from __proto__', () => {
    const body = JSON.stringify({ ...MINIMAL, error: 0 }).replace('"error":0', '"error":{"__proto__":{"message":"inherited"}}');
    expect(failure(body).problem).toBe('expected error.message to be a string, got nothing');
  });

  it('decodes 100,000 levels of output, or refuses them clearly', () => {
    const body = JSON.stringify({ ...MINIMAL, output: 0 }).replace(
      '"output":0',
      `"output":${'{"a":'.repeat(100_000)}0${'}'.repeat(100_000)}`,
    );
    expect(decodeStepResult(body).stepId).toBe(MINIMAL.stepId);
  });
});

describe('any result, any text', () => {
  const error = fc.record({ message: anyText, code: anyText, retryable: fc.boolean(), stack: anyText }, { requiredKeys: ['message'] });
  const event = fc.record(
    {
      at: fc.nat(),
      level: fc.constantFrom('debug' as const, 'info' as const, 'warn' as const, 'error' as const),
      message: anyText,
      data: anyJson,
    },
    { requiredKeys: ['at', 'level', 'message'] },
  );
  const result = fc.record(
    {
      runId: anyId,
      seq: fc.maxSafeInteger(),
      stepId: anyId,
      status: fc.constantFrom('completed' as const, 'failed' as const),
      output: anyJson,
      error,
      startedAt: fc.nat(),
      events: fc.array(event),
    },
    { requiredKeys: ['runId', 'seq', 'stepId', 'status'] },
  );

  it('comes back from the wire as it went', () => {
    fc.assert(
      fc.property(result, (original) => {
        const asJson: unknown = JSON.parse(JSON.stringify(original));
        expect(decodeStepResult(encodeStepResult(original))).toStrictEqual(asJson);
      }),
      { numRuns: 500 },
    );
  });

  it('decodes or throws InvalidMessageError, and never repeats what the body holds', () => {
    const SECRET = 'PAN-4111-1111-1111-1111';
    const fields = Object.keys(wireFixtureFields('result-full'));
    const body = fc.oneof(
      fc.tuple(anyText, anyText).map(([before, after]) => `${before}${SECRET}${after}`),
      fc
        .tuple(fc.constantFrom(...fields), fc.constantFrom<unknown>(SECRET, [SECRET], { [SECRET]: SECRET }, { message: 1, code: SECRET }))
        .map(([field, value]) => JSON.stringify({ ...wireFixtureFields('result-full'), [field]: value })),
      fc.constantFrom(...fields).map((field) => JSON.stringify({ ...without(wireFixtureFields('result-full'), field), [SECRET]: SECRET })),
    );
    fc.assert(
      fc.property(body, (text) => {
        try {
          decodeStepResult(text);
        } catch (thrown) {
          if (!(thrown instanceof InvalidMessageError)) throw thrown;
          expect(`${thrown.stack} ${JSON.stringify(thrown)}`).not.toContain('4111');
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

function failure(body: string): InvalidMessageError {
  try {
    decodeStepResult(body);
  } catch (error) {
    if (error instanceof InvalidMessageError) return error;
    throw error;
  }
  throw new Error('expected the body to be refused');
}
