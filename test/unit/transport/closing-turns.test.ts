import { InMemoryStateStore, type RemoteTask, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemTiming } from '../../../src/time.ts';
import { SqsTransport } from '../../../src/transport/index.ts';
import { silentLogger } from '../../support/local-cloud.ts';
import { FakeSqs, pass } from './fake-sqs.ts';

const RESULTS = 'durable-results';
const TASKS = { first: 'durable-tasks-first', second: 'durable-tasks-second' };
/** As a database answers. */
const READ_MS = 20;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

class SlowStore extends InMemoryStateStore {
  override async getRun(runId: string) {
    await systemTiming.sleep(READ_MS);
    return super.getRun(runId);
  }
}

/** An engine whose workflow takes two steps that are awaited in memory. */
function setUp() {
  const sqs = new FakeSqs(RESULTS, ...Object.values(TASKS));
  const transport = new SqsTransport({ client: sqs.client(), logger: silentLogger });
  const engine = new WorkflowEngine({ store: new SlowStore(), transport });
  transport.attach(engine);
  engine.register('patient', '1', async (ctx) => {
    await ctx.step('first', 1, { timeoutMs: 60_000 });
    return ctx.step('second', 2, { timeoutMs: 60_000 });
  });
  const tasks = (step: keyof typeof TASKS): RemoteTask[] => sqs.messages(TASKS[step]).map(({ body }) => JSON.parse(body));
  const answer = (step: keyof typeof TASKS) => {
    for (const { runId, seq, stepId } of tasks(step)) sqs.put(RESULTS, { runId, seq, stepId, status: 'completed', output: step });
  };
  /** As Nest shuts down. */
  const shutDown = async () => {
    await engine.drain();
    await transport.close();
    return Date.now();
  };
  return { sqs, engine, tasks, answer, shutDown };
}

describe('close, while turns await steps in memory', () => {
  it('receives their results, and those of the steps after them, and ends with the turn', async () => {
    const { engine, tasks, answer, shutDown } = setUp();
    void engine.start('patient', {}, 'run');
    await pass(1_000);
    expect(tasks('first')).toHaveLength(1);
    const closing = shutDown();
    await pass(3_000);
    answer('first');
    await pass(3_000);
    answer('second');
    await pass(1_000);
    await expect(closing).resolves.toBeLessThan(1_010_000);
    expect(await ended(engine)).toMatchObject({ status: 'completed', output: 'second' });
    expect(tasks('first')).toHaveLength(1);
  });

  it('waits for a run that is being locked, of which the engine has no turn yet', async () => {
    const { engine, tasks, answer, shutDown } = setUp();
    void engine.start('patient', {}, 'run');
    // Its row is written and its lock taken, and its turn is about to begin.
    await pass(READ_MS + READ_MS / 2);
    const closing = shutDown();
    await pass(1_000);
    expect(tasks('first')).toHaveLength(1);
    answer('first');
    await pass(1_000);
    answer('second');
    await pass(1_000);
    await closing;
    expect(await ended(engine)).toMatchObject({ status: 'completed' });
  });

  it('gives all other results back, and leaves the queue alone for longer each time', async () => {
    const { sqs, engine, answer, shutDown } = setUp();
    void engine.start('patient', {}, 'run');
    await pass(1_000);
    const closing = shutDown();
    // The engine's drain is over, in which results are taken as ever.
    await pass(10_500);
    sqs.put(RESULTS, { runId: 'other', seq: 0, stepId: 'other:0', status: 'completed', output: 1 });
    await pass(5_000);
    expect(sqs.messages(RESULTS)[0]?.receiveCount).toBeGreaterThan(1);
    expect(sqs.messages(RESULTS)[0]?.receiveCount).toBeLessThan(30);
    expect(sqs.messages(RESULTS)[0]?.visibleAt).toBeLessThanOrEqual(Date.now());
    answer('first');
    await pass(2_000);
    answer('second');
    await pass(2_000);
    await closing;
    expect(await ended(engine)).toMatchObject({ status: 'completed' });
    expect(sqs.bodies(RESULTS)).toHaveLength(1);
  });

  it('stops waiting in time for the rest of its end', async () => {
    const { engine, shutDown } = setUp();
    void engine.start('patient', {}, 'run');
    await pass(1_000);
    const closing = shutDown();
    await pass(30_000);
    // Ten seconds for the engine's drain, ten for the turn, and what is left in flight.
    await expect(closing).resolves.toBeLessThanOrEqual(1_026_000);
  });
});

async function ended(engine: WorkflowEngine) {
  const run = engine.getRun('run');
  await pass(READ_MS);
  return run;
}
