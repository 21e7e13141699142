import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidMessageError } from '../../../src/errors.ts';
import { decodeRemoteTask, encodeRemoteTask, type RemoteTask } from '../../../src/wire/remote-task.ts';
import { anyId, anyJson, anyText } from '../../support/json-arbitraries.ts';
import { wireFixture, wireFixtureFields, without } from '../../support/wire-fixtures.ts';

const MINIMAL: RemoteTask = {
  runId: 'run-7f3a',
  seq: 3,
  name: 'payments.charge-card',
  stepId: 'run-7f3a:3',
  group: 'payments.charge-card',
  input: { orderId: 'o-1', amountCents: 1250 },
  attempt: 1,
};

describe('golden tasks', () => {
  it('reads the fields that every task has', () => {
    expect(decodeRemoteTask(wireFixture('task-minimal'))).toStrictEqual(MINIMAL);
  });

  it('reads every optional field', () => {
    expect(decodeRemoteTask(wireFixture('task-full'))).toStrictEqual({
      ...MINIMAL,
      group: 'payments.charge-card@acme',
      input: { orderId: 'o-1', lines: [1, 'zwei', null, true], note: 'Ünïcode 😀' },
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      context: { tenant: 'acme', user: { id: 42 } },
      transport: 'default',
      priority: -2.5,
      attempt: 4,
    });
  });

  it('reads a null that Python wrote as an absent field, but keeps a null input', () => {
    expect(decodeRemoteTask(wireFixture('task-python-nulls'))).toStrictEqual({ ...MINIMAL, input: null });
  });

  it('reads a compensation, whose seq is negative', () => {
    expect(decodeRemoteTask(wireFixture('task-compensation'))).toStrictEqual({
      ...MINIMAL,
      seq: -3,
      name: 'payments.refund',
      group: 'payments.refund',
      stepId: 'run-7f3a:-3',
    });
  });

  it('keeps fields that it does not know, nulls included', () => {
    const decoded = decodeRemoteTask(wireFixture('task-unknown-fields'));
    expect(decoded).toStrictEqual(wireFixtureFields('task-unknown-fields'));
    expect(JSON.parse(encodeRemoteTask(decoded))).toStrictEqual(wireFixtureFields('task-unknown-fields'));
  });

  it.each(['task-minimal', 'task-full', 'task-compensation', 'task-unknown-fields'])('encodes %s back to the same JSON', (name) => {
    expect(JSON.parse(encodeRemoteTask(decodeRemoteTask(wireFixture(name))))).toStrictEqual(wireFixtureFields(name));
  });

  it('takes a task without input: undefined does not survive JSON', () => {
    expect(decodeRemoteTask(JSON.stringify(without({ ...MINIMAL }, 'input')))).toStrictEqual(without({ ...MINIMAL }, 'input'));
  });
});

describe('bodies that are no task', () => {
  const problemOf = (body: string): string => {
    try {
      decodeRemoteTask(body);
    } catch (error) {
      if (!(error instanceof InvalidMessageError)) throw error;
      expect(error.message).toBe(`message body is not a RemoteTask: ${error.problem}`);
      expect(error).not.toHaveProperty('cause');
      return error.problem;
    }
    return 'decoded';
  };

  it.each([
    ['', 'expected JSON, got 0 bytes that do not parse'],
    ['4111 1111', 'expected JSON, got 9 bytes that do not parse'],
    ['{"runId": é', 'expected JSON, got 12 bytes that do not parse'],
    ['\uFEFF{}', 'expected JSON, got 5 bytes that do not parse'],
    ['null', 'expected an object, got null'],
    ['[]', 'expected an object, got an array'],
    ['""', 'expected an object, got an empty string'],
    ['"4111"', 'expected an object, got a string'],
    ['4111', 'expected an object, got a number'],
    ['false', 'expected an object, got a boolean'],
    ['{}', 'expected runId to be a non-empty string, got nothing'],
  ])('refuses %j and quotes nothing of it', (body, problem) => {
    expect(problemOf(body)).toBe(problem);
  });

  it.each([
    ['runId', '', 'a non-empty string, got an empty string'],
    ['runId', 4111, 'a non-empty string, got a number'],
    ['seq', '3', 'an integer, got a string'],
    ['seq', 1.5, 'an integer, got a number'],
    ['seq', 2 ** 53, 'an integer, got a number'],
    ['seq', null, 'an integer, got null'],
    ['name', ['4111'], 'a non-empty string, got an array'],
    ['stepId', { pan: '4111' }, 'a non-empty string, got an object'],
    ['group', null, 'a non-empty string, got null'],
    ['attempt', 0, 'an integer of at least 1, got a number'],
    ['attempt', -1, 'an integer of at least 1, got a number'],
    ['attempt', true, 'an integer of at least 1, got a boolean'],
    ['traceparent', 4111, 'a string, got a number'],
    ['context', 'tenant=4111', 'an object, got a string'],
    ['context', [4111], 'an object, got an array'],
    ['transport', {}, 'a string, got an object'],
    ['priority', '4111', 'a number, got a string'],
  ])('names the field %s, what it should be and its kind (case %#)', (field, value, problem) => {
    expect(problemOf(JSON.stringify({ ...MINIMAL, [field]: value }))).toBe(`expected ${field} to be ${problem}`);
  });

  it.each(['runId', 'seq', 'name', 'stepId', 'group', 'attempt'])('misses %s', (field) => {
    expect(problemOf(JSON.stringify(without({ ...MINIMAL }, field)))).toMatch(new RegExp(`^expected ${field} to be .*, got nothing$`));
  });

  it('refuses a workflow task, which shares the queue in the other transports', () => {
    expect(problemOf(wireFixture('workflow-task'))).toBe('expected seq to be an integer, got nothing');
  });

  it('refuses a result', () => {
    expect(problemOf(wireFixture('result-completed'))).toBe('expected name to be a non-empty string, got nothing');
  });
});

describe('hostile keys', () => {
  it('keeps __proto__, constructor and toString as plain fields and pollutes nothing', () => {
    const hostile = '"__proto__":{"polluted":true,"attempt":9},"constructor":{"prototype":{"polluted":true}},"toString":"x"';
    const nulls = '"traceparent":null,"context":null';
    const minimal = JSON.stringify(MINIMAL).slice(1, -1);
    for (const body of [`{${minimal},${hostile}}`, `{${hostile},${nulls},${minimal}}`]) {
      const decoded = decodeRemoteTask(body);
      expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
      expect(Object.keys(decoded)).toEqual(expect.arrayContaining(['__proto__', 'constructor', 'toString']));
      expect(decoded.attempt).toBe(1);
      expect(encodeRemoteTask(decoded)).toContain(hostile);
    }
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  it('keeps them inside input and context', () => {
    const body = JSON.stringify(MINIMAL).replace(
      '"attempt"',
      '"context":{"__proto__":{"a":1},"hasOwnProperty":1},"priority":null,"attempt"',
    );
    const withInput = body.replace('{"orderId"', '{"__proto__":{"isAdmin":true},"orderId"');
    const decoded = decodeRemoteTask(withInput);
    expect(Object.getPrototypeOf(decoded.input)).toBe(Object.prototype);
    expect(encodeRemoteTask(decoded)).toContain('{"__proto__":{"isAdmin":true},"orderId"');
    expect(encodeRemoteTask(decoded)).toContain('"context":{"__proto__":{"a":1},"hasOwnProperty":1}');
  });

  it('takes no missing field from the prototype, not even from a polluted one', () => {
    const nested = JSON.stringify({ fields: MINIMAL }).replace('"fields"', '"__proto__"');
    expect(() => decodeRemoteTask(nested)).toThrow('expected runId to be a non-empty string, got nothing');
    Object.defineProperty(Object.prototype, 'runId', { value: 'inherited', configurable: true, enumerable: false });
    try {
      expect(() => decodeRemoteTask(JSON.stringify(without({ ...MINIMAL }, 'runId')))).toThrow('expected runId');
    } finally {
      Reflect.deleteProperty(Object.prototype, 'runId');
    }
  });
});

describe('depth', () => {
  const deep = (levels: number) =>
    JSON.stringify({ ...MINIMAL, input: 0 }).replace('"input":0', `"input":${'['.repeat(levels)}${']'.repeat(levels)}`);

  it.each([1_000, 100_000, 500_000])('%i levels are decoded, or refused clearly', (levels) => {
    let outcome: unknown;
    try {
      outcome = decodeRemoteTask(deep(levels)).runId;
    } catch (error) {
      outcome = error;
    }
    expect(outcome === MINIMAL.runId || outcome instanceof InvalidMessageError).toBe(true);
  });

  it('100,000 levels in place of a field, or unclosed, are refused clearly', () => {
    expect(() => decodeRemoteTask('['.repeat(100_000))).toThrow(InvalidMessageError);
    expect(() => decodeRemoteTask(`${'{"runId":'.repeat(100_000)}1${'}'.repeat(100_000)}`)).toThrow(
      'expected runId to be a non-empty string, got an object',
    );
  });
});

describe('any task, any text', () => {
  const task = fc.record(
    {
      runId: anyId,
      seq: fc.maxSafeInteger(),
      name: anyId,
      stepId: anyId,
      group: anyId,
      input: anyJson,
      attempt: fc.integer({ min: 1 }),
      context: fc.dictionary(anyText, anyJson),
      priority: fc.integer(),
      traceparent: anyText,
    },
    { requiredKeys: ['runId', 'seq', 'name', 'stepId', 'group', 'input', 'attempt'] },
  );

  it('comes back from the wire as it went', () => {
    fc.assert(
      fc.property(task, (original) => {
        const asJson: unknown = JSON.parse(JSON.stringify(original));
        expect(decodeRemoteTask(encodeRemoteTask(original))).toStrictEqual(asJson);
      }),
      { numRuns: 500 },
    );
  });

  it('decodes or throws InvalidMessageError, and never repeats what the body holds', () => {
    const SECRET = 'PAN-4111-1111-1111-1111';
    const planted = fc.oneof(
      fc.tuple(anyText, anyText).map(([before, after]) => `${before}${SECRET}${after}`),
      anyJson.map((value) => JSON.stringify([value, SECRET])),
      fc
        .tuple(
          fc.constantFrom(...Object.keys(MINIMAL), 'context', 'priority', '__proto__'),
          fc.constantFrom<unknown>(SECRET, [SECRET], { [SECRET]: SECRET }),
        )
        .map(([field, value]) => JSON.stringify({ ...MINIMAL, [field]: value, [SECRET]: SECRET })),
      fc.nat(200).map((cut) => JSON.stringify({ [SECRET]: SECRET, ...MINIMAL }).slice(0, cut)),
    );
    fc.assert(
      fc.property(planted, (body) => {
        try {
          decodeRemoteTask(body);
        } catch (error) {
          if (!(error instanceof InvalidMessageError)) throw error;
          expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('4111');
          expect(error.cause).toBeUndefined();
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
