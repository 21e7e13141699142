import { SQSClient } from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { ConfigurationError } from '../../../src/errors.ts';
import { STEP_HANDLER } from '../../../src/lambda/handler-marks.ts';
import { sqsStepHandler } from '../../../src/lambda/index.ts';
import { readArguments } from '../../../src/lambda/step-handler-options.ts';

const fn = () => 1;
const KNOWN =
  'around, client, clientConfig, concurrency, deadlineReserveMs, logger, marker, metrics, namespace, onDeadline, payloadStore, prefix, resultsQueueUrl';
const KNOWN_WITH_SCHEMAS =
  'around, client, clientConfig, concurrency, deadlineReserveMs, input, logger, marker, metrics, namespace, onDeadline, output, payloadStore, prefix, resultsQueueUrl';

/** What a call of `sqsStepHandler` with these arguments, of whatever type, throws. */
function messageOf(...args: readonly unknown[]): string {
  try {
    Reflect.apply(sqsStepHandler, undefined, args);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  throw new Error('expected a ConfigurationError');
}

beforeEach(() => {
  for (const name of ['DURABLE_PREFIX', 'DURABLE_NAMESPACE', 'DURABLE_RESULTS_QUEUE_URL']) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe('options', () => {
  it('may all be left out, or be undefined', () => {
    const { options } = readArguments('step', fn, undefined, {});
    expect(options).toEqual({ concurrency: 10, onDeadline: 'fail', prefix: 'durable', resultsQueueUrl: undefined });
    const none = Object.fromEntries(KNOWN_WITH_SCHEMAS.split(', ').map((name) => [name, undefined]));
    expect(Reflect.apply(sqsStepHandler, undefined, ['step', fn, none])[STEP_HANDLER].names).toEqual(['step']);
  });

  it('each of them is accepted', () => {
    const schema = z.string();
    const logger = console;
    const options = {
      concurrency: 1,
      around: fn,
      resultsQueueUrl: 'https://q.example/r',
      prefix: 'p',
      namespace: 'n',
      marker: 'm',
      deadlineReserveMs: 500,
      onDeadline: 'redeliver' as const,
      payloadStore: { thresholdBytes: 1, put: async () => ({ bucket: 'b', key: 'k' }), get: async () => '' },
      logger,
    };
    expect(() => sqsStepHandler('step', fn, { ...options, client: new SQSClient({ region: 'us-east-1' }), input: schema })).not.toThrow();
    expect(() => sqsStepHandler({ step: { run: fn, output: z.number() } }, { ...options, clientConfig: {} })).not.toThrow();
  });

  it.each([
    [{ concurency: 5 }, `unknown option "concurency", expected one of ${KNOWN_WITH_SCHEMAS}`],
    [{ constructor: 5 }, `unknown option "constructor", expected one of ${KNOWN_WITH_SCHEMAS}`],
    [{ concurrency: 0 }, 'expected concurrency to be an integer of at least 1, got 0'],
    [{ concurrency: 1.5 }, 'expected concurrency to be an integer of at least 1, got 1.5'],
    [{ concurrency: '5' }, 'expected concurrency to be an integer of at least 1, got "5"'],
    [{ concurrency: Number.NaN }, 'expected concurrency to be an integer of at least 1, got NaN'],
    [{ deadlineReserveMs: 0 }, 'expected deadlineReserveMs to be an integer of at least 1, got 0'],
    [{ onDeadline: 'retry' }, 'expected onDeadline to be "fail" or "redeliver", got "retry"'],
    [{ payloadStore: { put: fn, get: fn } }, 'expected payloadStore to be a payload store with thresholdBytes, put and get, got an object'],
    [{ around: {} }, 'expected around to be a function, got an object'],
    [{ resultsQueueUrl: 'durable-results' }, 'expected resultsQueueUrl to be the URL of a queue, got "durable-results"'],
    [{ resultsQueueUrl: fn }, 'expected resultsQueueUrl to be the URL of a queue, got a function'],
    [{ prefix: '' }, 'expected prefix to be a non-empty string, got an empty string'],
    [{ namespace: null }, 'expected namespace to be a non-empty string, got null'],
    [{ marker: true }, 'expected marker to be a non-empty string, got true'],
    [{ client: {} }, 'expected client to be an SQSClient, got an object'],
    [{ clientConfig: 'us-east-1' }, 'expected clientConfig to be the configuration of a client, not a client, got "us-east-1"'],
    [{ clientConfig: [] }, 'expected clientConfig to be the configuration of a client, not a client, got an array'],
    [{ logger: { info: fn } }, 'expected logger to be a logger with debug, info, warn and error, got an object'],
    [{ input: {} }, 'expected input to be a Standard Schema (zod, valibot, arktype, …), got an object'],
    [{ output: fn }, 'expected output to be a Standard Schema (zod, valibot, arktype, …), got a function'],
    [null, 'expected options to be an object, got null'],
    [5, 'expected options to be an object, got a number'],
    [[], 'expected options to be an object, got an array'],
    [fn, 'expected options to be an object, got a function'],
    [{ client: { send: fn }, clientConfig: {} }, 'expected client or clientConfig, got both; a client already has its configuration'],
  ])('%o throw at once, with what was expected (case %#)', (options, message) => {
    expect(messageOf('step', fn, options)).toBe(`sqsStepHandler: ${message}`);
  });

  it.each([
    [{ input: z.string() }, `unknown option "input", expected one of ${KNOWN}`],
    [{ concurrency: 0 }, 'expected concurrency to be an integer of at least 1, got 0'],
    [null, 'expected options to be an object, got null'],
    [fn, 'expected options to be an object, got a function'],
  ])('%o of several steps too', (options, message) => {
    expect(messageOf({ step: fn }, options)).toBe(`sqsStepHandler: ${message}`);
  });

  it('long or structured values are not printed', () => {
    expect(messageOf('step', fn, { resultsQueueUrl: 'x'.repeat(81) })).toMatch(/got a string$/);
  });

  it('names of queues that AWS would refuse are refused', () => {
    expect(messageOf('step', fn, { prefix: 'my.prefix' })).toContain('got "my.prefix"');
    expect(messageOf('step', fn, { namespace: 'a b' })).toContain('got "durable-a b"');
  });
});

describe('steps', () => {
  it.each([
    [['', fn], 'sqsStepHandler: expected the name of a step, got an empty string'],
    [['step'], 'sqsStepHandler: expected the function of step "step", got nothing'],
    [['step', { run: fn }], 'sqsStepHandler: expected the function of step "step", got an object'],
    [[undefined, fn], 'sqsStepHandler: expected a step name or an object of steps, got nothing'],
    [[null], 'sqsStepHandler: expected a step name or an object of steps, got null'],
    [[[fn]], 'sqsStepHandler: expected a step name or an object of steps, got an array'],
    [[{}], 'sqsStepHandler: expected at least one step, got an empty object'],
    [[{ '': fn }], 'sqsStepHandler: expected the name of a step, got an empty string'],
    [[{ a: 1 }], 'sqsStepHandler step "a": expected a function, or an object with run, input and output; got a number'],
    [[{ a: {} }], 'sqsStepHandler step "a": expected run to be a function, got nothing'],
    [[{ a: { run: 'fn' } }], 'sqsStepHandler step "a": expected run to be a function, got "fn"'],
    [[{ a: { run: fn, inputs: 1 } }], 'sqsStepHandler step "a": unknown option "inputs", expected one of input, output, run'],
    [[{ a: { run: fn, input: 1 } }], 'sqsStepHandler step "a": expected input to be a Standard Schema (zod, valibot, arktype, …), got 1'],
    [[{ a: [] }], 'sqsStepHandler step "a": expected options to be an object, got an array'],
  ])('%o throw at once, with what was expected (case %#)', (args, message) => {
    expect(messageOf(...args)).toBe(message);
  });
});

describe('the environment', () => {
  const read = (options: object, env: NodeJS.ProcessEnv) => readArguments('step', fn, options, env).options;

  it('gives prefix, namespace and results queue', () => {
    const env = { DURABLE_PREFIX: 'shop', DURABLE_NAMESPACE: 'eu', DURABLE_RESULTS_QUEUE_URL: 'https://q.example/r' };
    expect(read({}, env)).toMatchObject({ prefix: 'shop-eu', resultsQueueUrl: 'https://q.example/r' });
  });

  it('gives way to what is given in code', () => {
    const env = { DURABLE_PREFIX: 'shop', DURABLE_NAMESPACE: 'eu', DURABLE_RESULTS_QUEUE_URL: 'https://q.example/r' };
    expect(read({ prefix: 'mine', namespace: 'us', resultsQueueUrl: 'https://q.example/mine' }, env)).toMatchObject({
      prefix: 'mine-us',
      resultsQueueUrl: 'https://q.example/mine',
    });
    // Not even looked at: a wrong value there is somebody else's.
    expect(read({ resultsQueueUrl: 'https://q.example/mine' }, { DURABLE_RESULTS_QUEUE_URL: 'wrong' })).toMatchObject({
      resultsQueueUrl: 'https://q.example/mine',
    });
  });

  it('counts as not set where it is empty', () => {
    expect(read({}, { DURABLE_PREFIX: '', DURABLE_NAMESPACE: '', DURABLE_RESULTS_QUEUE_URL: '' })).toMatchObject({
      prefix: 'durable',
      resultsQueueUrl: undefined,
    });
  });

  it.each([
    ['DURABLE_PREFIX', 'my.prefix', 'expected prefix to be one or more of A-Z a-z 0-9 _ -'],
    ['DURABLE_PREFIX', 'a-tasks', 'expected prefix to be free of "-tasks"'],
    ['DURABLE_NAMESPACE', 'e u', 'got "durable-e u"'],
    [
      'DURABLE_RESULTS_QUEUE_URL',
      'durable-results',
      'sqsStepHandler: expected DURABLE_RESULTS_QUEUE_URL to be the URL of a queue, got "durable-results"',
    ],
  ])('stops the module from loading with a wrong %s (%s)', (name, value, message) => {
    vi.stubEnv(name, value);
    expect(messageOf('step', fn)).toContain(message);
    expect(messageOf({ step: fn })).toContain(message);
  });
});
