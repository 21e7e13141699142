import { inspect } from 'node:util';
import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SqsTransport, type SqsTransportOptions } from '../../../src/transport/index.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { taskFor } from '../../support/sqs-records.ts';
import { ended } from './ended.ts';
import { definite, FakeSqs, pass, transient } from './fake-sqs.ts';

/** Planted wherever a payload goes. */
const SECRET = 'card-4111-1111-1111-1111';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const secretTask = (fields: object = {}) => taskFor({ input: { card: SECRET }, context: { token: SECRET }, ...fields });

function setUp(options: SqsTransportOptions = {}) {
  const sqs = new FakeSqs('durable-tasks-step', 'durable-results');
  const logger = capturingLogger();
  const errors: unknown[] = [];
  const transport = new SqsTransport({ client: sqs.client(), logger, onError: (error) => errors.push(error), ...options });
  return { sqs, logger, errors, transport };
}

/** Everything of a value that anybody could print: hidden fields, causes, stacks. */
const printed = (value: unknown) => inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, maxStringLength: null });

const failing = (fault: FakeSqs['fault']) => (sqs: FakeSqs) => {
  sqs.fault = fault;
};

async function rejection(promise: Promise<void>): Promise<unknown> {
  const caught = promise.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );
  await pass(600_000);
  return caught;
}

describe('no payload reaches an error of dispatch, or a log line about it', () => {
  it.each<[string, SqsTransportOptions, (sqs: FakeSqs) => void, object?]>([
    ['a refusal', {}, failing(() => definite('AccessDenied'))],
    ['a timeout', { dispatchTimeoutMs: 10_000 }, failing(() => transient('ServiceUnavailable'))],
    ['a network fault', { dispatchTimeoutMs: 1_000 }, failing(() => Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }))],
    [
      'a refused entry',
      {},
      (sqs) => {
        sqs.entryFault = () => ({ ok: false, sqsCode: 'InvalidMessageContents', transient: false });
      },
    ],
    ['no queue', {}, (sqs) => sqs.removeQueue('durable-tasks-step')],
    ['a task that is too large', {}, () => undefined, { input: SECRET.repeat(50_000) }],
    ['a partition under a namespace', { namespace: 'eu' }, () => undefined, { group: 'step@acme' }],
    ['an input that is no JSON', {}, () => undefined, { input: { card: SECRET, big: 1n } }],
  ])('%s', async (_what, options, arrange, fields) => {
    const { sqs, logger, errors, transport } = setUp(options);
    arrange(sqs);
    const error = await rejection(transport.dispatch(secretTask(fields)));
    expect(error).toBeInstanceOf(Error);
    expect(printed(error)).not.toContain(SECRET);
    expect(printed([logger.lines, errors])).not.toContain(SECRET);
  });
});

describe('no payload reaches a log line about what was received', () => {
  it('results: malformed, rejected, undeletable', async () => {
    const { sqs, logger, transport } = setUp();
    transport.onResult(async () => {
      throw Object.assign(new Error(`duplicate key ${SECRET}`), { name: 'QueryError', code: '23505', detail: SECRET });
    });
    sqs.entryFault = (operation) => (operation === 'delete' ? { ok: false, sqsCode: 'InternalError', transient: false } : undefined);
    for (const body of [SECRET, `"${SECRET}"`, `{"runId":"${SECRET}"}`, `{"runId":"r","seq":0,"stepId":"s","status":"${SECRET}"}`]) {
      sqs.put('durable-results', body);
    }
    const error = { message: SECRET, code: SECRET, stack: SECRET };
    const events = [{ at: 1, level: 'info', message: SECRET, data: SECRET }];
    sqs.put('durable-results', { runId: 'r', seq: 0, stepId: 's', status: 'completed', output: SECRET, events });
    sqs.put('durable-results', { runId: 'r', seq: 1, stepId: 't', status: 'failed', error });
    await pass(60_000);
    expect(logger.lines.length).toBeGreaterThan(6);
    expect(printed(logger.lines)).not.toContain(SECRET);
  });

  it('tasks: malformed, failing, with a result that nobody accepts', async () => {
    const { sqs, logger, errors, transport } = setUp();
    transport.handle('step', ({ card }) => {
      throw Object.assign(new Error(`declined: ${card}`), { code: 'declined' });
    });
    sqs.fault = (operation) => (operation === 'send' ? transient() : undefined);
    sqs.put('durable-tasks-step', SECRET);
    sqs.put('durable-tasks-step', { ...secretTask(), seq: SECRET });
    sqs.put('durable-tasks-step', secretTask());
    await pass(60_000);
    sqs.fault = (operation) => (operation === 'send' ? definite() : undefined);
    await pass(60_000);
    expect(logger.lines.length).toBeGreaterThan(3);
    expect(printed([logger.lines, errors])).not.toContain(SECRET);
  });

  it('a whole run of the real engine', async () => {
    const { sqs, logger, errors, transport } = setUp();
    const engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
    transport.attach(engine);
    transport.handle('step', ({ card }) => ({ card }));
    engine.register('workflow', '1', (ctx, input) => ctx.step('step', input));
    sqs.fault = (operation) => (sqs.callsOf(operation).length % 3 === 0 ? transient() : undefined);
    await engine.start('workflow', { card: SECRET }, 'run');
    await pass(60_000);
    expect(await engine.getRun('run')).toMatchObject({ status: 'completed', output: { card: SECRET } });
    expect(logger.lines.length).toBeGreaterThan(0);
    expect(printed([logger.lines, errors])).not.toContain(SECRET);
    await ended(transport.close());
  });
});
