import { InMemoryStateStore, type RemoteTask, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SqsTransport, type SqsTransportOptions } from '../../../src/transport/index.ts';
import { silentLogger } from '../../support/local-cloud.ts';
import { ended } from './ended.ts';
import { FakeSqs, pass } from './fake-sqs.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** As slow as a database: turns that begin within its time know nothing of each other. */
class SlowStore extends InMemoryStateStore {
  override async saveCheckpoint(...args: Parameters<InMemoryStateStore['saveCheckpoint']>): Promise<void> {
    await sleep(5);
    return super.saveCheckpoint(...args);
  }

  override async listCheckpoints(runId: string) {
    await sleep(5);
    return super.listCheckpoints(runId);
  }
}

/** One engine on two transports, each with queues of its own. */
function pool(options: SqsTransportOptions & { readonly attached: boolean; readonly fifo?: boolean }) {
  const { attached, fifo = false, ...rest } = options;
  const suffix = fifo ? '.fifo' : '';
  const names = (id: string) => ({
    first: `${id}-tasks-first${suffix}`,
    second: `${id}-tasks-second${suffix}`,
    results: `${id}-results${suffix}`,
  });
  const sqs = new FakeSqs(...['a', 'b'].flatMap((id) => Object.values(names(id))));
  const transports = ['a', 'b'].map((id) => ({
    id,
    transport: new SqsTransport({ client: sqs.client(), prefix: id, fifo, logger: silentLogger, ...rest }),
  }));
  const engine = new WorkflowEngine({ store: new SlowStore(), transports });
  if (attached) for (const { transport } of transports) transport.attach(engine);
  const tasks = (id: string, step: 'first' | 'second'): RemoteTask[] => sqs.messages(names(id)[step]).map(({ body }) => JSON.parse(body));
  const answer = (id: string, { runId, seq, stepId }: RemoteTask) => {
    const result = { runId, seq, stepId, status: 'completed', output: seq };
    if (fifo) sqs.putInGroup(names(id).results, runId, result);
    else sqs.put(names(id).results, result);
  };
  const close = () => ended(Promise.all(transports.map(({ transport }) => transport.close())));
  return { sqs, engine, tasks, answer, close, names };
}

describe('two transports of one engine', () => {
  it.each([
    ['attached', true],
    ['not attached', false],
  ])('%s: results of one run that come by both at once begin one turn at a time', async (_how, attached) => {
    const { engine, tasks, answer, close } = pool({ attached });
    engine.register('workflow', '1', async (ctx) => {
      await Promise.all(['a', 'b', 'a', 'b'].map((transport) => ctx.step('first', 1, { transport })));
      return ctx.step('second', 2, { transport: 'a' });
    });
    await engine.start('workflow', {}, 'run');
    await pass(1_000);
    for (const id of ['a', 'b']) for (const task of tasks(id, 'first')) answer(id, task);
    await pass(5_000);
    expect(tasks('a', 'second')).toHaveLength(1);
    for (const task of tasks('a', 'second')) answer('a', task);
    await pass(5_000);
    expect(await engine.getRun('run')).toMatchObject({ status: 'completed' });
    await close();
  });

  it('a step that is awaited in memory is not shut out by the FIFO group of the result that came by the other transport', async () => {
    const { sqs, engine, tasks, answer, close, names } = pool({ attached: true, fifo: true });
    engine.register('workflow', '1', async (ctx) => {
      await ctx.step('first', 1, { transport: 'a' });
      return ctx.step('second', 2, { transport: 'b', timeoutMs: 10_000 });
    });
    await engine.start('workflow', {}, 'run');
    await pass(1_000);
    const [task] = tasks('a', 'first');
    if (task === undefined) throw new Error('expected a task');
    answer('a', task);
    await pass(1_000);
    const [next] = tasks('b', 'second');
    if (next === undefined) throw new Error('expected a task');
    expect(sqs.messages(names('a').results)).toEqual([]);
    answer('a', next);
    await pass(1_000);
    expect(await engine.getRun('run')).toMatchObject({ status: 'completed' });
    await close();
  });

  it('one that is closed leaves the other its results', async () => {
    const sqs = new FakeSqs('a-results', 'b-results', 'b-tasks-first');
    const [a, b] = ['a', 'b'].map((prefix) => new SqsTransport({ client: sqs.client(), prefix, logger: silentLogger }));
    if (a === undefined || b === undefined) throw new Error('expected two transports');
    const transports = [
      { id: 'a', transport: a },
      { id: 'b', transport: b },
    ];
    const engine = new WorkflowEngine({ store: new SlowStore(), transports });
    a.attach(engine);
    b.attach(engine);
    engine.register('workflow', '1', (ctx) => ctx.step('first', 1, { transport: 'b' }));
    await ended(a.close());
    await engine.start('workflow', {}, 'run');
    await pass(1_000);
    const { seq, stepId }: RemoteTask = JSON.parse(sqs.messages('b-tasks-first')[0]?.body ?? '');
    sqs.put('b-results', { runId: 'run', seq, stepId, status: 'completed', output: 7 });
    await pass(1_000);
    expect(await engine.getRun('run')).toMatchObject({ status: 'completed', output: 7 });
    await ended(b.close());
  });
});
