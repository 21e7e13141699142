import { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deferred, stateOf } from '../../../support/deferred.ts';
import { EngineInstance, viewOf } from '../../../support/engine-instances.ts';
import { pass } from '../fake-sqs.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Two instances on one store; the first one's write of `suspended` takes a while. A run of it is in its first turn. */
async function inTurn(lateMs: number) {
  const store = new InMemoryStateStore();
  const late = viewOf(store, {
    async updateRun(runId, patch) {
      if (patch.status === 'suspended') await new Promise((resolve) => setTimeout(resolve, lateMs));
      return store.updateRun(runId, patch);
    },
  });
  const [first, second] = [new EngineInstance(late, 'first'), new EngineInstance(store, 'second')] as const;
  for (const { engine } of [first, second]) engine.register('w', '1', (ctx) => ctx.step('a', 1));
  const started = first.engine.start('w', {}, 'run');
  await pass(100);
  return { store, first, second, started };
}

function instanceOn(store: InMemoryStateStore) {
  const instance = new EngineInstance(store, 'only');
  const answer = async () => {
    const task = instance.tasks.at(-1);
    if (task === undefined) throw new Error('expected a task');
    await instance.answer(task);
  };
  return { engine: instance.engine, tasks: instance.tasks, answer };
}

describe('engine.cancel of an attached engine', () => {
  it.each(['first', 'second'] as const)('outlasts a turn that writes over it: cancelled by the %s instance', async (by) => {
    const world = await inTurn(300);
    const cancelled = world[by].engine.cancel('run');
    await pass(1_000);
    expect(await cancelled).toMatchObject({ status: 'cancelled' });
    await world.started;
    expect(await world.store.getRun('run')).toMatchObject({ status: 'cancelled' });
  });

  it('outlasts a turn of its own process that ends while the cancel is written', async () => {
    const store = new InMemoryStateStore();
    const delays: Partial<Record<string, number>> = { cancelled: 100, suspended: 300 };
    const slow = viewOf(store, {
      async updateRun(runId, patch) {
        await new Promise((resolve) => setTimeout(resolve, delays[patch.status ?? ''] ?? 0));
        return store.updateRun(runId, patch);
      },
    });
    const instance = new EngineInstance(slow, 'first');
    instance.engine.register('w', '1', (ctx) => ctx.step('a', 1));
    let cancelled: Promise<unknown> | undefined;
    instance.onDispatch = () => {
      cancelled ??= instance.engine.cancel('run');
    };
    await instance.engine.start('w', {}, 'run');
    await pass(2_000);
    expect(await cancelled).toMatchObject({ status: 'cancelled' });
    expect(await store.getRun('run')).toMatchObject({ status: 'cancelled' });
  });

  it.each(['first', 'second'] as const)('keeps out a turn that had read the run before: cancelled by the %s instance', async (by) => {
    const store = new InMemoryStateStore();
    const read = deferred<void>();
    let isStale = false;
    const stale = viewOf(store, {
      async getRun(runId) {
        const run = await store.getRun(runId);
        const copy = run && { ...run };
        if (isStale) await read.promise;
        return copy;
      },
    });
    const [first, second] = [new EngineInstance(stale, 'first'), new EngineInstance(store, 'second')] as const;
    for (const { engine } of [first, second]) engine.register('w', '1', (ctx) => ctx.step('a', 1));
    const at = new Date();
    await store.createRun({ id: 'run', workflow: 'w', workflowVersion: '1', status: 'pending', input: {}, createdAt: at, updatedAt: at });
    isStale = true;
    const turn = first.engine.resume('run');
    await pass(1);
    isStale = false;
    const cancelled = { first, second }[by].engine.cancel('run');
    await pass(100);
    expect(await cancelled).toMatchObject({ status: 'cancelled' });
    read.resolve();
    await pass(5_000);
    await turn;
    expect(await store.getRun('run')).toMatchObject({ status: 'cancelled' });
    expect(first.tasks).toEqual([]);
  });

  it('answers within a second, whatever the turn takes, and lasts all the same', async () => {
    const { store, second } = await inTurn(5_000);
    const cancelled = second.engine.cancel('run');
    await pass(1_000);
    expect(await stateOf(cancelled)).toBe('fulfilled');
    await pass(6_000);
    expect(await store.getRun('run')).toMatchObject({ status: 'cancelled' });
  });

  it('answers at once a second time', async () => {
    const { first, second } = await inTurn(0);
    await first.engine.cancel('run');
    const again = second.engine.cancel('run');
    await pass(1);
    expect(await stateOf(again)).toBe('fulfilled');
  });

  it('leaves the lock to a run that compensates', async () => {
    const store = new InMemoryStateStore();
    const { engine, tasks, answer } = instanceOn(store);
    engine.register('w', '1', async (ctx) => {
      await ctx.step('a', 1, { compensate: 'undo' });
      await ctx.sleep('1h');
    });
    await engine.start('w', {}, 'run');
    await pass(10);
    const answered = answer();
    await pass(10);
    expect(await stateOf(answered)).toBe('fulfilled');
    const cancelled = engine.cancel('run', { compensate: true });
    await pass(2_000);
    expect(await cancelled).toMatchObject({ status: 'cancelling' });
    expect(tasks.map(({ name }) => name)).toEqual(['a', 'undo']);
    void answer();
    await pass(100);
    expect(await store.getRun('run')).toMatchObject({ status: 'cancelled' });
  });

  it('looks once more at a run that compensates: a turn that had read it before writes late', async () => {
    const store = new InMemoryStateStore();
    const { engine } = instanceOn(store);
    engine.register('w', '1', (ctx) => ctx.step('a', 1));
    await engine.start('w', {}, 'run');
    await pass(10);
    const cancel = engine.cancel.bind(engine);
    // The engine's own begins a turn at once, which ends the run before anybody looks.
    vi.spyOn(store, 'listCheckpoints').mockImplementation(() => new Promise(() => {}));
    const cancelled = cancel('run', { compensate: true });
    await pass(500);
    await store.releaseRunLock('run');
    await pass(100);
    await store.updateRun('run', { status: 'suspended' });
    await pass(3_000);
    await cancelled;
    expect(await store.getRun('run')).toMatchObject({ status: 'cancelling' });
  });

  it('lasts although the store is away right after it', async () => {
    const { store, first } = await inTurn(300);
    let away = false;
    const { getRun } = store;
    store.getRun = (runId) => (away ? Promise.reject(new Error('the store is down')) : getRun.call(store, runId));
    const cancelled = first.engine.cancel('run');
    await pass(1);
    away = true;
    await pass(5_000);
    away = false;
    await pass(5_000);
    expect(await cancelled).toMatchObject({ status: 'cancelled' });
    expect(await store.getRun('run')).toMatchObject({ status: 'cancelled' });
  });

  it('lasts before a transport of the engine is closed', async () => {
    const { store, second } = await inTurn(3_000);
    void second.engine.cancel('run');
    await pass(1_000);
    const idle = second.attached.idle();
    await pass(1_000);
    expect(await stateOf(idle)).toBe('pending');
    await pass(3_000);
    expect(await stateOf(idle)).toBe('fulfilled');
    expect(await store.getRun('run')).toMatchObject({ status: 'cancelled' });
  });

  it('leaves a run alone that is over, and knows no run that is none', async () => {
    const { store, first, second } = await inTurn(0);
    const [task] = first.tasks;
    if (task === undefined) throw new Error('expected a task');
    await first.answer(task);
    expect(await second.engine.cancel('run')).toMatchObject({ status: 'completed' });
    expect(await store.getRun('run')).toMatchObject({ status: 'completed' });
    expect(await second.engine.cancel('none')).toBeNull();
  });
});
