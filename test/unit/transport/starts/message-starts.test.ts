import { setImmediate as nextTurn } from 'node:timers/promises';
import { InMemoryStateStore, InMemoryTransport, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it } from 'vitest';
import { PayloadStoreError } from '../../../../src/errors.ts';
import { encodePointer } from '../../../../src/payloads/pointer.ts';
import { MessageStarts, type MessageStartsOptions, type StartHandler } from '../../../../src/transport/starts/message-starts.ts';
import { capturingLogger } from '../../../support/capturing-logger.ts';

const SECRET = 'card-4111-1111-1111-1111';

/** The start handler that an engine gives to its transport. */
class StartTransport extends InMemoryTransport {
  start: StartHandler = () => Promise.reject(new Error('no engine'));
  onStartRun(handler: StartHandler): void {
    this.start = handler;
  }
}

function setUp(options: Partial<MessageStartsOptions> = {}, namespace?: string) {
  const transport = new StartTransport();
  const store = new InMemoryStateStore();
  const engine = new WorkflowEngine({ store, transport, ...(namespace === undefined ? {} : { namespace }) });
  let runs = 0;
  engine.register('checkout', '1', async (_ctx, input) => {
    runs += 1;
    return input;
  });
  const logger = capturingLogger();
  const errors: unknown[] = [];
  const starts = new MessageStarts({ handler: transport.start, onError: (error) => errors.push(error), logger, ...options });
  const take = (body: unknown, messageId = 'm-1', receiveCount = 1) =>
    starts.take({ messageId, body: typeof body === 'string' ? body : JSON.stringify(body), receiveCount });
  return { engine, store, starts, take, logger, errors, runs: () => runs };
}

const terminal = { until: 'terminal', timeoutMs: 5_000 } as const;

describe('a start that an engine receives', () => {
  it('runs its workflow with its input, under its run id, with its tags and attributes', async () => {
    const { take, engine } = setUp();
    const start = { workflow: 'checkout', input: { orderId: 'o-1' }, runId: 'run-1', tags: ['web'], searchAttributes: { tier: 'pro' } };
    expect(await take(start)).toBe('started');
    expect(await engine.waitForRun('run-1', terminal)).toMatchObject({ status: 'completed', output: { orderId: 'o-1' } });
    expect(await engine.getRun('run-1')).toMatchObject({ tags: ['web'], searchAttributes: { tier: 'pro' } });
  });

  it('runs once, however often it is delivered', async () => {
    const { take, engine, runs } = setUp();
    for (let delivery = 1; delivery <= 3; delivery += 1) {
      expect(await take({ workflow: 'checkout', input: 1, runId: 'run-1' }, 'm-1', delivery)).toBe('started');
    }
    await engine.waitForRun('run-1', terminal);
    expect(runs()).toBe(1);
  });

  it('runs once when it is delivered twice at the same time: the second waits until the store holds the run', async () => {
    let created = 0;
    const known = new Set<string>();
    const handler: StartHandler = async ({ runId = '' }) => {
      if (known.has(runId)) return;
      await nextTurn();
      known.add(runId);
      created += 1;
    };
    const { take } = setUp({ handler });
    const start = { workflow: 'checkout', runId: 'run-1' };
    expect(await Promise.all([take(start, 'm-1'), take(start, 'm-2')])).toEqual(['started', 'started']);
    expect(created).toBe(1);
  });

  it('runs under the id of its message where it names no run, so that a redelivery finds that run', async () => {
    const { take, engine, runs } = setUp();
    await take({ workflow: 'checkout' }, 'm-7', 1);
    await take({ workflow: 'checkout' }, 'm-7', 2);
    expect(await engine.waitForRun('m-7', terminal)).toMatchObject({ status: 'completed' });
    expect(runs()).toBe(1);
  });

  it.each([[undefined], [''], ['default']])('belongs to the namespace of the engine where its tenant is %o', async (tenant) => {
    const { take, engine } = setUp({}, 'eu');
    await take({ workflow: 'checkout', runId: 'run-1', tenant });
    expect(await engine.waitForRun('run-1', terminal)).toMatchObject({ status: 'completed' });
    expect(await engine.getRun('run-1')).toMatchObject({ namespace: 'eu' });
  });

  it('belongs to the namespace that is its tenant', async () => {
    const { take, engine } = setUp();
    await take({ workflow: 'checkout', runId: 'run-1', tenant: 'acme' });
    expect(await engine.getRun('run-1')).toMatchObject({ namespace: 'acme' });
  });
});

describe('a start that is not carried out', () => {
  it('says what is wrong with a message that is no start', async () => {
    const { take, logger, errors } = setUp();
    expect(await take(`{"workflow":4,"input":"${SECRET}"}`, 'm-1', 3)).toBe('unreadable');
    expect(logger.lines).toMatchObject([
      {
        level: 'error',
        message: 'message is not a StartRunMessage; left for the dead-letter queue',
        fields: { messageId: 'm-1', receiveCount: 3 },
      },
    ]);
    expect(logger.lines[0]?.fields['reason']).toContain('expected workflow to be a non-empty string, got a number');
    expect(errors).toMatchObject([{ name: 'InvalidMessageError' }]);
    expect(JSON.stringify([logger.lines, String(errors)])).not.toContain(SECRET);
  });

  it('names the workflow that the engine does not know', async () => {
    const { take, logger, errors, engine } = setUp();
    expect(await take({ workflow: 'refund', runId: 'run-1', input: SECRET })).toBe('refused');
    expect(logger.lines).toMatchObject([
      {
        level: 'error',
        message: 'no workflow of that name is registered with this engine; its start is redelivered, and parked if that lasts',
        fields: { workflow: 'refund', runId: 'run-1', messageId: 'm-1' },
      },
    ]);
    expect(errors).toMatchObject([{ message: 'workflow refund is not registered' }]);
    expect(await engine.getRun('run-1')).toBeNull();
    expect(JSON.stringify(logger.lines)).not.toContain(SECRET);
  });

  it('makes no run and logs no input where the schema of its workflow refuses that', async () => {
    const { take, engine, logger, errors } = setUp();
    engine.register('strict', '1', async () => undefined, {
      validateInput: async (input) => {
        throw Object.assign(new Error(`bad input ${String(input)}`), { name: 'ZodError' });
      },
    });
    expect(await take({ workflow: 'strict', runId: 'run-1', input: SECRET })).toBe('refused');
    expect(logger.lines).toMatchObject([{ level: 'error', fields: { workflow: 'strict', runId: 'run-1', errorName: 'ZodError' } }]);
    expect(errors).toMatchObject([{ name: 'ZodError' }]);
    expect(await engine.getRun('run-1')).toBeNull();
    expect(JSON.stringify(logger.lines)).not.toContain(SECRET);
  });

  it('starts later where the store was down', async () => {
    const { take, store, engine } = setUp();
    const createRun = store.createRun.bind(store);
    store.createRun = () => Promise.reject(new Error('store is down'));
    expect(await take({ workflow: 'checkout', runId: 'run-1' })).toBe('refused');
    store.createRun = createRun;
    expect(await take({ workflow: 'checkout', runId: 'run-1' }, 'm-1', 2)).toBe('started');
    expect(await engine.waitForRun('run-1', terminal)).toMatchObject({ status: 'completed' });
  });

  it('comes again where its stored body cannot be read', async () => {
    const { take, logger, errors } = setUp();
    expect(await take(encodePointer({ bucket: 'b', key: 'k' }))).toBe('refused');
    expect(errors).toMatchObject([{ name: 'PayloadStoreError', reason: 'not_configured' }]);
    expect(logger.lines).toMatchObject([{ level: 'error', fields: { messageId: 'm-1', errorName: 'PayloadStoreError' } }]);
  });
});

it('a start whose body is stored is read from the store', async () => {
  const payloadStore = {
    thresholdBytes: 100,
    put: () => Promise.reject(new PayloadStoreError('unavailable', 'not asked')),
    get: async () => JSON.stringify({ workflow: 'checkout', runId: 'run-1', input: 'large' }),
  };
  const { take, engine } = setUp({ payloadStore });
  expect(await take(encodePointer({ bucket: 'b', key: 'k' }))).toBe('started');
  expect(await engine.waitForRun('run-1', terminal)).toMatchObject({ output: 'large' });
});
