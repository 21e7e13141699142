import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SqsTransport, type SqsTransportOptions } from '../../../../src/transport/index.ts';
import { capturingLogger } from '../../../support/capturing-logger.ts';
import { MemoryPayloads } from '../../../support/memory-payloads.ts';
import { ended } from '../ended.ts';
import { definite, FakeSqs, pass, transient } from '../fake-sqs.ts';

const QUEUE = 'durable-start-run';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp(options: SqsTransportOptions = {}, store = new InMemoryStateStore()) {
  const sqs = new FakeSqs('durable-results', QUEUE);
  const logger = capturingLogger();
  const errors: unknown[] = [];
  const transport = new SqsTransport({
    client: sqs.client(),
    startRuns: true,
    logger,
    onError: (error) => errors.push(error),
    ...options,
  });
  const engine = new WorkflowEngine({ store, transport });
  transport.attach(engine);
  let runs = 0;
  engine.register('checkout', '1', async (_ctx, input) => {
    runs += 1;
    return input;
  });
  return { sqs, logger, errors, transport, engine, runs: () => runs };
}

/** Lets time pass until it holds: under load, what is no timer takes longer than the fake clock says. */
async function passUntil(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (let seconds = 0; !(await condition()); seconds += 1) {
    if (seconds > 300) throw new Error('expected the condition to hold within 300 s of the fake clock');
    await pass(1_000);
  }
}

const isCompleted = async (engine: WorkflowEngine) => (await engine.getRun('run-1'))?.status === 'completed';

const START = { workflow: 'checkout', input: { orderId: 'o-1' }, runId: 'run-1' };

describe('an engine with startRuns', () => {
  it('runs a start and deletes its message', async () => {
    const { sqs, transport, engine } = setUp();
    sqs.put(QUEUE, START);
    await passUntil(() => isCompleted(engine));
    expect(await engine.getRun('run-1')).toMatchObject({ output: { orderId: 'o-1' } });
    await ended(transport.close());
    expect(sqs.messages(QUEUE)).toEqual([]);
  });

  it('leaves the message where the run was not created, and takes it later each time', async () => {
    const { sqs, transport, errors } = setUp();
    sqs.put(QUEUE, { ...START, workflow: 'refund' });
    await passUntil(() => errors.length > 0);
    expect(sqs.messages(QUEUE)).toHaveLength(1);
    expect(errors[0]).toMatchObject({ message: 'workflow refund is not registered' });
    await pass(20 * 60_000);
    const waits = sqs.visibilities.slice(1);
    expect(waits.length).toBeGreaterThan(5);
    expect(waits.at(-1)).toBeGreaterThan(100);
    expect(Math.max(...waits)).toBeLessThanOrEqual(300);
    await ended(transport.close());
  });

  it('uses up the receives of what is no start by its visibility timeout alone', async () => {
    const { sqs, transport, errors } = setUp();
    sqs.put(QUEUE, 'no start');
    await passUntil(() => errors.length === 4);
    const receives = sqs.messages(QUEUE).map(({ receiveCount }) => receiveCount);
    expect({ receives, changes: sqs.visibilities }).toEqual({ receives: [4], changes: [] });
    await ended(transport.close());
  });

  it('pauses while the store is down, so that an outage parks no start', async () => {
    const store = new InMemoryStateStore();
    const down = () => Promise.reject(new Error('store is down'));
    const { createRun, getRun } = store;
    const { sqs, transport, engine, logger } = setUp({}, store);
    store.createRun = down;
    store.getRun = down;
    sqs.put(QUEUE, START);
    await passUntil(() => logger.lines.some(({ message }) => message.includes('receiving starts pauses')));
    await pass(60_000);
    const [{ receiveCount } = { receiveCount: 0 }] = sqs.messages(QUEUE);
    expect(receiveCount).toBeLessThanOrEqual(2);
    expect(logger.lines.map(({ message }) => message)).toContain(
      "the engine's store does not answer; receiving starts pauses until it does",
    );
    store.createRun = createRun;
    store.getRun = getRun;
    await passUntil(() => isCompleted(engine));
    await ended(transport.close());
  });

  it('waits in close() for the run that is being created, and keeps its message until then', async () => {
    const store = new InMemoryStateStore();
    const { sqs, transport, engine } = setUp({}, store);
    const createRun = store.createRun.bind(store);
    const { promise, resolve } = Promise.withResolvers<void>();
    let creating = false;
    store.createRun = async (run) => {
      creating = true;
      await promise;
      return createRun(run);
    };
    sqs.put(QUEUE, START);
    await passUntil(() => creating);
    let closed = false;
    const closing = transport.close().then(() => {
      closed = true;
    });
    await pass(1_000);
    expect(closed).toBe(false);
    expect(sqs.messages(QUEUE)).toHaveLength(1);
    resolve();
    await pass(1_000);
    await closing;
    expect(sqs.messages(QUEUE)).toEqual([]);
    expect(await engine.getRun('run-1')).not.toBeNull();
  });

  it('makes the start queue and its dead-letter queue with autoCreate', async () => {
    const { sqs, transport } = setUp({ autoCreate: true });
    sqs.removeQueue(QUEUE);
    await passUntil(() => sqs.queueNames.includes(QUEUE));
    expect(sqs.queueNames).toContain('durable-start-run-dead-letters');
    await ended(transport.close());
  });

  it('says what to do where there is no start queue, and receives once there is one', async () => {
    const { sqs, transport, errors, engine } = setUp();
    sqs.removeQueue(QUEUE);
    await passUntil(() => errors.length > 0);
    expect(String(errors[0])).toContain('no start queue: set custom.durable.startRuns in serverless.yml');
    sqs.addQueue(QUEUE);
    sqs.put(QUEUE, START);
    await passUntil(() => isCompleted(engine));
    await ended(transport.close());
  });
});

it('an engine without startRuns neither looks for the start queue nor receives from it', async () => {
  const { sqs, transport } = setUp({ startRuns: false });
  sqs.put(QUEUE, START);
  await pass(60_000);
  expect(sqs.calls.filter(({ queue }) => queue === QUEUE)).toEqual([]);
  await ended(transport.close());
});

describe('dispatchStartRun', () => {
  it('sends the start as it is', async () => {
    const { sqs, transport } = setUp({ startRuns: false });
    await transport.dispatchStartRun({ ...START, tenant: 'acme' });
    expect(sqs.bodies(QUEUE)).toEqual([{ ...START, tenant: 'acme' }]);
    await ended(transport.close());
  });

  it('gives a start without a run id one of its own, so that a message that is sent twice starts one run', async () => {
    const { sqs, transport } = setUp({ startRuns: false });
    await transport.dispatchStartRun({ workflow: 'checkout', input: 1, tenant: 'default' });
    expect(sqs.bodies(QUEUE)).toEqual([
      { workflow: 'checkout', input: 1, tenant: 'default', runId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    ]);
    await ended(transport.close());
  });

  it('tries again what is transient, with the same run id', async () => {
    const { sqs, transport } = setUp({ startRuns: false });
    let failures = 3;
    sqs.fault = (operation) => (operation === 'send' && failures-- > 0 ? transient('ServiceUnavailable') : undefined);
    const sent = transport.dispatchStartRun({ workflow: 'checkout', input: 1 });
    await pass(10_000);
    await sent;
    expect(new Set(sqs.callsOf('send').flatMap(({ messages }) => messages?.map(({ body }) => body))).size).toBe(1);
    await ended(transport.close());
  });

  it('rejects what SQS refuses, and what is no start', async () => {
    const { sqs, transport } = setUp({ startRuns: false });
    sqs.fault = (operation) => (operation === 'send' ? definite('AccessDenied') : undefined);
    await expect(transport.dispatchStartRun(START)).rejects.toMatchObject({ name: 'SqsRequestError' });
    await expect(transport.dispatchStartRun({ workflow: '', input: 1 })).rejects.toMatchObject({ name: 'InvalidMessageError' });
    await ended(transport.close());
  });

  it('stores a large input where there is a payload store, which the engine reads', async () => {
    const payloadStore = new MemoryPayloads();
    const { transport, engine } = setUp({ payloadStore });
    const input = 'x'.repeat(1_500_000);
    await transport.dispatchStartRun({ ...START, input });
    await passUntil(() => isCompleted(engine));
    expect(payloadStore.subjects).toEqual([{ kind: 'start', runId: 'run-1', stepId: 'checkout' }]);
    expect(await engine.getRun('run-1')).toMatchObject({ status: 'completed', output: input });
    await ended(transport.close());
  });

  it('rejects a large input where there is none: run, size, limit and what to do', async () => {
    const { transport } = setUp({ startRuns: false });
    const sent = transport.dispatchStartRun({ ...START, input: 'x'.repeat(1_500_000) });
    await expect(sent).rejects.toThrow(
      /^start of run run-1 \("checkout"\) is 1500050 bytes, SQS accepts 1048576\. Give the sender and the engine's transport a payloadStore/,
    );
    await ended(transport.close());
  });
});
