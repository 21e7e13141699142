import { inspect } from 'node:util';
import { type } from 'arktype';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { SqsRequestError } from '../../../src/errors.ts';
import { sqsStepHandler } from '../../../src/lambda/index.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { FakeQueues, invoke } from '../../support/fake-queues.ts';
import { contextOf, eventOf, recordOf, taskFor } from '../../support/sqs-records.ts';

const SECRET = 'S3CR3T-4111111111111111';
const CONSOLE = ['debug', 'info', 'warn', 'error', 'log', 'trace'] as const;

/** Everything that was written to the console, or to a standard stream past it. */
const written: string[] = [];
const collect = (...parts: unknown[]) => {
  written.push(parts.map((part) => (typeof part === 'string' ? part : inspect(part, { depth: 20 }))).join(' '));
  return true;
};

beforeEach(() => {
  written.length = 0;
  for (const method of CONSOLE) vi.spyOn(console, method).mockImplementation(collect);
  vi.spyOn(process.stdout, 'write').mockImplementation(collect);
  vi.spyOn(process.stderr, 'write').mockImplementation(collect);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const cycle: Record<string, unknown> = { card: SECRET };
cycle['self'] = cycle;

/** Every way in which a record can end, each with a secret wherever one can be. */
const STEPS = {
  returns: (input: unknown) => input,
  logs: (_input: unknown, step: { info(message: string, data?: unknown): void }) => {
    step.info(`charging ${SECRET}`, { card: SECRET });
    step.info(`charging ${SECRET}`, { card: SECRET, n: 1n });
  },
  throws: () => {
    throw Object.assign(new Error(`declined ${SECRET}`, { cause: { card: SECRET } }), { card: SECRET, retryable: false });
  },
  'throws.text': () => Promise.reject(SECRET),
  'throws.object': () => Promise.reject({ card: SECRET }),
  'throws.long': () => Promise.reject(new Error(SECRET.repeat(100_000))),
  cyclic: () => cycle,
  bigint: () => ({ card: SECRET, n: 1n }),
  'to.json': () => ({
    toJSON: () => {
      throw new Error(SECRET);
    },
  }),
  large: () => SECRET.repeat(100_000),
  'zod.input': { run: () => 1, input: z.strictObject({ card: z.literal('none') }) },
  'ark.input': { run: () => 1, input: type({ card: "'none'" }) },
  'ark.output': { run: (): { card: 'none' } => JSON.parse(JSON.stringify({ card: SECRET })), output: type({ card: "'none'" }) },
  'schema.throws': {
    run: () => 1,
    input: z.unknown().transform(() => {
      throw new Error(SECRET);
    }),
  },
};

const POISON = [
  SECRET,
  `{"card":"${SECRET}"`,
  JSON.stringify({ card: SECRET }),
  JSON.stringify([SECRET]),
  JSON.stringify({ ...taskFor(), runId: { card: SECRET } }),
  JSON.stringify({ ...taskFor(), attempt: SECRET }),
];

function everyRecord() {
  const messageAttributes = { [SECRET]: { dataType: 'String', stringValue: SECRET }, marker: { dataType: 'String', stringValue: SECRET } };
  const input = { card: SECRET };
  const names = [...Object.keys(STEPS), 'unknown'];
  const tasks = names.map((name, seq) => taskFor({ seq, name, input, context: { card: SECRET }, traceparent: SECRET }));
  return eventOf(
    ...tasks.map((task) => recordOf(task, { messageAttributes })),
    ...POISON.map((body, index) => recordOf(body, { messageId: `poison-${index}`, messageAttributes })),
    recordOf(tasks[0] ?? '', { messageId: 'unmarked', messageAttributes: { [SECRET]: { dataType: 'String', stringValue: SECRET } } }),
  );
}

const WAYS: readonly [string, (channelCall: number) => unknown][] = [
  ['where every result is accepted', () => undefined],
  [
    'where some results are not',
    (call) => (call % 3 === 0 ? Promise.reject(new SqsRequestError('SendMessageBatch', 'Down', true)) : undefined),
  ],
  ['where no result is', () => Promise.reject(new SqsRequestError('SendMessageBatch', 'AccessDenied', false))],
  ['where sending fails with a foreign error', () => Promise.reject(Object.assign(new Error(SECRET), { body: SECRET }))],
];

describe('no secret is logged', () => {
  it.each(WAYS)('%s', async (_what, accept) => {
    const logger = capturingLogger();
    let calls = 0;
    const queues = new FakeQueues(() => accept(calls++));
    const handler = sqsStepHandler(STEPS, { logger, marker: 'marker', concurrency: 3 }).after(() => {
      throw Object.assign(new Error(SECRET), { card: SECRET });
    });
    const outcome = await invoke(handler, everyRecord(), queues).catch((error: unknown) => error);

    // The test is worth something only if the secret was there to be leaked.
    expect(calls).toBeGreaterThan(0);
    expect(logger.lines.length).toBeGreaterThan(3);
    expect(JSON.stringify(logger.lines)).not.toContain(SECRET);
    expect(written.join('\n')).not.toContain(SECRET);
    // A foreign error of the client stays the cause; what this package says itself is clean.
    const cause = outcome instanceof Error ? outcome.cause : undefined;
    const own = outcome instanceof Error ? `${outcome.stack}${JSON.stringify({ ...outcome })}` : JSON.stringify(outcome);
    expect(own).not.toContain(SECRET);
    if (cause instanceof SqsRequestError) expect(inspect(outcome, { depth: 20, showHidden: true })).not.toContain(SECRET);
  });

  it.each([
    ['JSON on Lambda', 'worker'],
    ['text elsewhere', undefined],
  ])('the default logger (%s) writes none', async (_what, functionName) => {
    vi.stubEnv('AWS_LAMBDA_FUNCTION_NAME', functionName);
    const queues = new FakeQueues();
    const handler = sqsStepHandler(STEPS, { marker: 'marker' });
    const { batchItemFailures } = await invoke(handler, everyRecord(), queues);
    expect(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).toEqual([
      ...POISON.map((_body, index) => `poison-${index}`),
      'unmarked',
    ]);
    expect(queues.accepted).toHaveLength(Object.keys(STEPS).length + 1);
    expect(JSON.stringify(queues.accepted)).toContain(SECRET);
    expect(written.length).toBeGreaterThan(3);
    expect(written.join('\n')).not.toContain(SECRET);
  });

  it('the error of an event that is none holds none', async () => {
    const handler = sqsStepHandler(STEPS, { logger: capturingLogger() });
    for (const event of [{ card: SECRET }, { Records: SECRET }, { Records: [{ card: SECRET }] }]) {
      const error = await Reflect.apply(handler, undefined, [event, contextOf()]).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: 'InvalidEventError' });
      expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(SECRET);
    }
  });

  it('a result holds the step’s own words, and none of its input beyond them', async () => {
    const queues = new FakeQueues();
    await invoke(sqsStepHandler(STEPS, { logger: capturingLogger(), marker: 'marker' }), everyRecord(), queues);
    const names = Object.keys(STEPS);
    const ours = queues.accepted.filter(({ seq }) => ['cyclic', 'bigint', 'to.json', 'large', 'zod.input'].includes(names[seq] ?? ''));
    expect(ours.map(({ error }) => error?.code).toSorted()).toEqual([
      'invalid_input',
      'result_too_large',
      'unserializable_output',
      'unserializable_output',
      'unserializable_output',
    ]);
    expect(JSON.stringify(ours)).not.toContain(SECRET);
  });
});
