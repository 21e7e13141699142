import { FatalError } from '@dudousxd/nestjs-durable-core';
import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type StepFunction, sqsStepHandler } from '../../../src/lambda/index.ts';
import { MAX_MESSAGE_BYTES } from '../../../src/wire/limits.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { FakeQueues, failedIds, invoke, resultOf } from '../../support/fake-queues.ts';
import { eventOf, eventOfInputs, recordOf, taskFor } from '../../support/sqs-records.ts';

const logger = capturingLogger();
const EVENT = eventOfInputs([null]);
const thenable = Object.fromEntries([['then', (resolve: (value: string) => void) => resolve('later')]]);

/** The error that the engine is told of when a step throws `thrown`. */
async function errorOf(thrown: unknown) {
  const handler = sqsStepHandler(
    'step',
    () => {
      throw thrown;
    },
    { logger },
  );
  const { status, error } = await resultOf(handler, EVENT);
  expect(status).toBe('failed');
  return error;
}

describe('a step that returns', () => {
  it('gives a completed result with its output, for the task it ran', async () => {
    const handler = sqsStepHandler('step', async (input: { n: number }) => ({ doubled: input.n * 2 }), { logger });
    const before = Date.now();
    const result = await resultOf(handler, eventOf(recordOf(taskFor({ runId: 'r-1', seq: 3, stepId: 'r-1:3', input: { n: 21 } }))));
    expect(result).toEqual({
      runId: 'r-1',
      seq: 3,
      stepId: 'r-1:3',
      status: 'completed',
      output: { doubled: 42 },
      startedAt: expect.any(Number),
    });
    expect(result.startedAt).toBeGreaterThanOrEqual(before);
  });

  it.each([
    ['a value', () => 7, 7],
    ['null', () => null, null],
    ['nothing', () => undefined, undefined],
    ['what JSON has no word for', () => () => 1, undefined],
    ['an object with toJSON', () => new Date(0), '1970-01-01T00:00:00.000Z'],
    ['a thenable', () => thenable, 'later'],
  ])('may return %s', async (_what, fn, output) => {
    const result = await resultOf(sqsStepHandler('step', fn, { logger }), EVENT);
    expect(result.status).toBe('completed');
    expect(result.output).toEqual(output);
  });
});

describe('a step that throws', () => {
  it('gives a failed result with message, code and retryable; the record is consumed', async () => {
    const error = Object.assign(new Error('card declined'), { code: 'declined', retryable: false });
    expect(await errorOf(error)).toEqual({ message: 'card declined', code: 'declined', retryable: false });
    expect(await errorOf(Object.assign(new Error('busy'), { retryable: true }))).toEqual({ message: 'busy', retryable: true });
    expect(await errorOf(new TypeError('no such field'))).toEqual({ message: 'no such field' });
  });

  it('gives the same whether it throws at once or rejects', async () => {
    const handler = sqsStepHandler('step', () => Promise.reject(new Error('later')), { logger });
    expect(await resultOf(handler, EVENT)).toMatchObject({ status: 'failed', error: { message: 'later' } });
  });

  it('gives a result that is not retryable if it throws a FatalError, of whichever copy of the core package', async () => {
    class Declined extends FatalError {}
    const ofAnotherCopy = Object.assign(new Error('no'), { name: 'FatalError', code: 'declined' });
    expect(await errorOf(new FatalError('no', 'declined'))).toEqual({ message: 'no', code: 'declined', retryable: false });
    expect(await errorOf(new Declined('no'))).toEqual({ message: 'no', retryable: false });
    expect(await errorOf(ofAnotherCopy)).toEqual({ message: 'no', code: 'declined', retryable: false });
    // The engine's own local steps do not retry it whatever else it says.
    expect(await errorOf(Object.assign(new FatalError('no'), { retryable: true }))).toEqual({ message: 'no', retryable: false });
  });

  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  const hostile = Object.defineProperties(new Error('hidden'), {
    message: {
      get: () => {
        throw new Error('trap');
      },
    },
    name: {
      get: () => {
        throw new Error('trap');
      },
    },
    code: {
      get: () => {
        throw new Error('trap');
      },
    },
    retryable: {
      get: () => {
        throw new Error('trap');
      },
    },
  });
  const NO_TEXT = 'the step threw something that has no text';
  it.each([
    ['a string', 'plain words', { message: 'plain words' }],
    ['an empty string', '', { message: '' }],
    ['undefined', undefined, { message: 'undefined' }],
    ['null', null, { message: 'null' }],
    ['a number', 42, { message: '42' }],
    ['a bigint', 42n, { message: '42' }],
    ['a symbol', Symbol('s'), { message: 'Symbol(s)' }],
    ['an object like an error', { message: 'm', code: 'c', retryable: false }, { message: 'm', code: 'c', retryable: false }],
    ['an object without a prototype', Object.create(null), { message: NO_TEXT }],
    [
      'an object whose toString throws',
      {
        toString: () => {
          throw new Error('trap');
        },
      },
      { message: NO_TEXT },
    ],
    ['an object whose toString gives no text', { toString: () => ({}) }, { message: NO_TEXT }],
    ['an error whose message is a number', Object.assign(new Error(), { message: 404 }), { message: '404' }],
    ['an error whose message is undefined', Object.assign(new Error(), { message: undefined }), { message: 'Error' }],
    ['an error with a numeric code', Object.assign(new Error('http'), { code: 404 }), { message: 'http' }],
    ['an error with retryable of another type', Object.assign(new Error('x'), { retryable: 'no' }), { message: 'x' }],
    ['a frozen error', Object.freeze(Object.assign(new Error('cold'), { code: 'ice' })), { message: 'cold', code: 'ice' }],
    ['an error whose getters all throw', hostile, { message: NO_TEXT }],
    ['a revoked proxy', revoked, { message: NO_TEXT }],
    ['an aggregate', new AggregateError([new Error('a')], 'all failed'), { message: 'all failed' }],
  ])('may throw %s', async (_what, thrown, expected) => {
    expect(await errorOf(thrown)).toEqual(expected);
  });
});

describe('a task for a step that is not served', () => {
  it('fails as no_handler, not retryable, and says which steps are served', async () => {
    const handler = sqsStepHandler({ 'payments.charge': () => 1, 'payments.refund': () => 2 }, { logger });
    expect((await resultOf(handler, eventOfInputs([null], 'payments.chrage'))).error).toEqual({
      message: 'no handler for step "payments.chrage": this worker serves "payments.charge", "payments.refund"',
      code: 'no_handler',
      retryable: false,
    });
  });

  it.each(['constructor', '__proto__', 'toString'])('fails as no_handler for the name %s too', async (name) => {
    const result = await resultOf(sqsStepHandler({ a: () => 1 }, { logger }), eventOfInputs([null], name));
    expect(result.error?.code).toBe('no_handler');
  });

  it('serves a step of any name', async () => {
    const handler = sqsStepHandler('__proto__', () => 'ran', { logger });
    expect(await resultOf(handler, eventOfInputs([null], '__proto__'))).toMatchObject({ status: 'completed', output: 'ran' });
  });
});

const zodOrder = z.object({ order: z.object({ lines: z.array(z.object({ amountCents: z.number() })) }) });
const valibotOrder = v.object({ order: v.object({ lines: v.array(v.object({ amountCents: v.number() })) }) });
const arkOrder = type({ order: { lines: type({ amountCents: 'number' }).array() } });
const WRONG = { order: { lines: [{ amountCents: 1 }, { amountCents: 'one' }] } };
type Order = z.infer<typeof zodOrder>;
/** What comes from elsewhere is not always what its type says. */
const wronglyTyped = (): Order => JSON.parse(JSON.stringify(WRONG));
const RIGHT = { order: { lines: [{ amountCents: 1 }] } };

describe.each([
  ['zod', zodOrder],
  ['valibot', valibotOrder],
  ['arktype', arkOrder],
])('a schema of %s', (_library, schema) => {
  it('refuses an input as invalid_input, not retryable, with the path; the step does not run', async () => {
    let ran = false;
    const handler = sqsStepHandler(
      'step',
      () => {
        ran = true;
      },
      { input: schema, logger },
    );
    const { error } = await resultOf(handler, eventOfInputs([WRONG]));
    expect(error).toMatchObject({ code: 'invalid_input', retryable: false });
    expect(error?.message).toMatch(/^input of step "step" does not match its schema: order\.lines\[1\]\.amountCents: .+/);
    expect(ran).toBe(false);
  });

  it('refuses an output as invalid_output, not retryable, with the path', async () => {
    const handler = sqsStepHandler({ step: { run: wronglyTyped, output: schema } }, { logger });
    const { error } = await resultOf(handler, EVENT);
    expect(error).toMatchObject({ code: 'invalid_output', retryable: false });
    expect(error?.message).toMatch(/^output of step "step" does not match its schema: order\.lines\[1\]\.amountCents: .+/);
  });

  it('lets through what matches', async () => {
    const handler = sqsStepHandler({ step: { run: (input: Order) => input, input: schema, output: schema } }, { logger });
    expect(await resultOf(handler, eventOfInputs([RIGHT]))).toMatchObject({ status: 'completed', output: RIGHT });
  });
});

describe('schemas', () => {
  it('hand on what they parsed, in and out', async () => {
    const input = z.object({ n: z.coerce.number(), currency: z.string().default('EUR') });
    const output = z.object({ total: z.number().transform((n) => `${n} cents`) });
    const handler = sqsStepHandler('step', ({ n, currency }) => ({ total: currency === 'EUR' ? n : 0 }), { input, output, logger });
    expect((await resultOf(handler, eventOfInputs([{ n: '5' }]))).output).toEqual({ total: '5 cents' });
  });

  it('may be asynchronous', async () => {
    const input = z.string().refine(async (text) => text === 'known', 'unknown customer');
    const handler = sqsStepHandler('step', (customer) => customer, { input, logger });
    expect(await resultOf(handler, eventOfInputs(['known']))).toMatchObject({ output: 'known' });
    const { error } = await resultOf(handler, eventOfInputs(['other']));
    expect(error?.message).toBe('input of step "step" does not match its schema: (root): unknown customer');
  });

  it('a schema that throws fails the step with its own error', async () => {
    const input = z.string().transform(() => {
      throw new Error('schema bug');
    });
    expect(
      await resultOf(
        sqsStepHandler('step', () => 1, { input, logger }),
        eventOfInputs(['x']),
      ),
    ).toMatchObject({
      status: 'failed',
      error: { message: 'schema bug' },
    });
  });

  it('show ten issues and count the others', async () => {
    const handler = sqsStepHandler('step', () => 1, { input: z.array(z.string()), logger });
    const { error } = await resultOf(handler, eventOfInputs([Array.from({ length: 13 }, () => 1)]));
    expect(error?.message).toContain('[9]: ');
    expect(error?.message).not.toContain('[10]: ');
    expect(error?.message).toMatch(/; and 3 more$/);
  });
});

function nested(levels: number): unknown {
  let value: unknown = 0;
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

describe('an output that cannot become JSON', () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  it.each([
    ['a BigInt', { n: 1n }],
    ['a cycle', cycle],
    [
      'a toJSON that throws',
      {
        toJSON: () => {
          throw new Error('no');
        },
      },
    ],
    [
      'a getter that throws',
      {
        get n() {
          throw new Error('no');
        },
      },
    ],
    ['100,000 levels', nested(100_000)],
  ])('(%s) fails the step as unserializable_output, not retryable', async (_what, output) => {
    const handler = sqsStepHandler(
      'step',
      (_input, step) => {
        step.info('before it', { n: 1 });
        return output;
      },
      { logger },
    );
    const result = await resultOf(handler, EVENT);
    expect(result).toMatchObject({ status: 'failed', error: { code: 'unserializable_output', retryable: false } });
    expect(result.output).toBeUndefined();
    expect(result.events).toMatchObject([{ message: 'before it', data: { n: 1 } }]);
  });
});

describe('event data that cannot become JSON', () => {
  it.each([
    ['a BigInt', { n: 1n }],
    ['100,000 levels', nested(100_000)],
    [
      'a toJSON that throws',
      {
        toJSON: () => {
          throw new Error('no');
        },
      },
    ],
  ])('(%s) does not fail the step, and costs no other event', async (_what, data) => {
    const handler = sqsStepHandler(
      'step',
      (_input, step) => {
        step.info('first', { n: 1 });
        step.info('second', data);
        step.warn('third');
        return 'done';
      },
      { logger },
    );
    const result = await resultOf(handler, EVENT);
    expect(result).toMatchObject({ status: 'completed', output: 'done' });
    expect(result.events).toEqual([
      { at: expect.any(Number), level: 'info', message: 'first', data: { n: 1 } },
      { at: expect.any(Number), level: 'info', message: 'second' },
      { at: expect.any(Number), level: 'warn', message: 'third' },
    ]);
  });

  it('leaves it visible that the step failed', async () => {
    const handler = sqsStepHandler(
      'step',
      (_input, step) => {
        step.info('data', 1n);
        throw new Error('failed itself');
      },
      { logger },
    );
    expect(await resultOf(handler, EVENT)).toMatchObject({
      status: 'failed',
      error: { message: 'failed itself' },
      events: [{ message: 'data' }],
    });
  });
});

describe('a result larger than a message', () => {
  async function sent(fn: StepFunction<unknown, unknown>, marker?: string) {
    const queues = new FakeQueues();
    const record = recordOf(
      taskFor(),
      marker === undefined ? {} : { messageAttributes: { [marker]: { dataType: 'String', stringValue: '1' } } },
    );
    const options = marker === undefined ? { logger } : { logger, marker };
    await invoke(sqsStepHandler('step', fn, options), eventOf(record), queues);
    const [result] = queues.accepted;
    const [message] = queues.messages;
    if (result === undefined || message === undefined) throw new Error('expected a result');
    return { result, message, bytes: Buffer.byteLength(message.body) };
  }

  it('fails the step as result_too_large, not retryable', async () => {
    const { result, bytes } = await sent(() => 'x'.repeat(MAX_MESSAGE_BYTES));
    expect(result).toMatchObject({ status: 'failed', error: { code: 'result_too_large', retryable: false } });
    expect(result.error?.message).toContain(`larger than the ${MAX_MESSAGE_BYTES} bytes`);
    expect(bytes).toBeLessThan(1_000);
  });

  it('counts in bytes of UTF-8', async () => {
    expect((await sent(() => 'é'.repeat(MAX_MESSAGE_BYTES / 2))).result.error?.code).toBe('result_too_large');
    expect((await sent(() => 'é'.repeat(MAX_MESSAGE_BYTES / 4))).result.status).toBe('completed');
  });

  it('gives up its events before its output', async () => {
    const { result } = await sent((_input, step) => {
      step.info('x'.repeat(MAX_MESSAGE_BYTES));
      return 'kept';
    });
    expect(result).toMatchObject({ status: 'completed', output: 'kept' });
    expect(result.events).toBeUndefined();
  });

  it('keeps the beginning of a long error message, and code and retryable', async () => {
    const { result, bytes } = await sent((_input, step) => {
      step.info('x'.repeat(1_000));
      throw Object.assign(new Error(`begins so ${'x'.repeat(2 * MAX_MESSAGE_BYTES)}`), { code: 'long', retryable: false });
    });
    expect(result).toMatchObject({ status: 'failed', error: { code: 'long', retryable: false } });
    expect(result.error?.message).toMatch(/^begins so x+… \(cut\)$/);
    expect(result.events).toBeUndefined();
    expect(bytes).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
    expect(bytes).toBeGreaterThan(MAX_MESSAGE_BYTES - 10);
  });

  it('counts the marker attribute', async () => {
    const { message, bytes } = await sent(() => {
      throw new Error('x'.repeat(MAX_MESSAGE_BYTES));
    }, 'durable');
    expect(message.attributes).toEqual({ durable: '1' });
    expect(bytes + 'durable'.length + 'String'.length + '1'.length).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
  });
});

describe('a body that is no task', () => {
  const BAD: readonly [string, string][] = [
    ['no JSON', '{"runId":'],
    ['empty', ''],
    ['an array', '[]'],
    ['a task without a name', JSON.stringify({ ...taskFor(), name: undefined })],
    ['a workflow task', JSON.stringify({ taskId: 't', runId: 'r', workflow: 'w', history: [] })],
    ['a result', JSON.stringify({ runId: 'r', seq: 0, stepId: 's', status: 'completed' })],
  ];
  it.each(BAD)('(%s) is delivered again, without a result; its neighbours run', async (_what, body) => {
    const queues = new FakeQueues();
    const ran: unknown[] = [];
    const handler = sqsStepHandler('step', (input) => void ran.push(input), { logger, concurrency: 1 });
    const event = eventOf(
      recordOf(taskFor({ seq: 1, input: 'a' })),
      recordOf(body, { messageId: 'bad' }),
      recordOf(taskFor({ seq: 2, input: 'b' })),
    );
    expect(await invoke(handler, event, queues)).toEqual({ batchItemFailures: [{ itemIdentifier: 'bad' }] });
    expect(ran).toEqual(['a', 'b']);
    expect(queues.accepted.map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it('alone is reported and does not fail the invocation: Lambda must not slow down for it', async () => {
    const response = await invoke(
      sqsStepHandler('step', () => 1, { logger }),
      eventOf(recordOf('poison')),
    );
    expect(failedIds(response)).toEqual(['message']);
  });

  it('may come parsed from a middleware', async () => {
    const handler = sqsStepHandler('step', (input) => input, { logger }).before(({ event }) => {
      for (const record of event.Records) Object.assign(record, { body: JSON.parse(record.body) });
    });
    expect(await resultOf(handler, eventOfInputs(['in']))).toMatchObject({ status: 'completed', output: 'in' });
  });
});

describe('the marker attribute', () => {
  const marked = { messageAttributes: { durable: { dataType: 'String', stringValue: '1' } } };

  it('goes onto results', async () => {
    const queues = new FakeQueues();
    await invoke(
      sqsStepHandler('step', () => 1, { logger, marker: 'durable' }),
      eventOf(recordOf(taskFor(), marked)),
      queues,
    );
    expect(queues.messages[0]?.attributes).toEqual({ durable: '1' });
  });

  it('leaves records without it to other consumers', async () => {
    const queues = new FakeQueues();
    const handler = sqsStepHandler('step', () => 1, { logger, marker: 'durable' });
    const event = eventOf(recordOf(taskFor({ seq: 1 })), recordOf(taskFor({ seq: 2 }), marked));
    expect(failedIds(await invoke(handler, event, queues))).toEqual(['message-1']);
    expect(queues.accepted.map(({ seq }) => seq)).toEqual([2]);
  });
});

describe('an event that is none of SQS', () => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'event'],
    ['an API request', { httpMethod: 'GET' }],
    ['records of something else', { Records: [{ s3: {} }] }],
    ['records that are no list', { Records: {} }],
  ])('(%s) is refused with a hint', async (_what, event) => {
    const handler = sqsStepHandler('step', () => 1, { logger });
    await expect(Reflect.apply(handler, undefined, [event, {}])).rejects.toMatchObject({
      name: 'InvalidEventError',
      message: expect.stringContaining('is this function behind an event source mapping of a tasks or dead-letter queue?'),
    });
  });

  it('succeeds if it has no records at all', async () => {
    expect(
      await invoke(
        sqsStepHandler('step', () => 1, { logger }),
        eventOf(),
      ),
    ).toEqual({ batchItemFailures: [] });
  });
});
