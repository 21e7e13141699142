import { InMemoryStateStore, type RunStatus, type WorkflowCtx, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EngineStore } from '../../../../src/transport/engine/engine-store.ts';
import { asTurn } from '../../../../src/transport/engine/outlast-outage.ts';
import { deferred, stateOf } from '../../../support/deferred.ts';
import { DEAF, EngineInstance, viewOf } from '../../../support/engine-instances.ts';
import { settle } from '../../../support/fake-timing.ts';

async function storeWith(status: RunStatus): Promise<InMemoryStateStore> {
  const store = new InMemoryStateStore();
  const now = new Date();
  await store.createRun({ id: 'run', workflow: 'w', workflowVersion: '1', status, input: {}, createdAt: now, updatedAt: now });
  return store;
}

/** A store with one run, as an engine's transport sees it. */
async function installed(others: (store: InMemoryStateStore) => Partial<InMemoryStateStore> = () => ({})) {
  const store = await storeWith('running');
  const engine = { store: viewOf(store, others(store)) };
  const told: string[] = [];
  const installedStore = EngineStore.install(engine, {
    ...DEAF,
    lockRefused: (runId) => told.push(`refused ${runId}`),
    statusWritten: (runId) => told.push(`written ${runId}`),
  });
  await engine.store.tryLockRun('run', 'one', Date.now() + 30_000, Date.now());
  const isLocked = async () => ((await store.getRun('run'))?.lockedUntil ?? 0) > Date.now();
  const idle = async () => installedStore?.idle();
  return { store, seen: engine.store, told, isLocked, idle, forget: (runId: string) => installedStore?.forget(runId) };
}

/** The run is read under its lock, and the store fails so many times at first. */
async function lockedUnderRead(failures: number) {
  const store = await storeWith('suspended');
  let reads = 0;
  const engine = {
    store: viewOf(store, {
      async getRun(runId) {
        if (runId === 'run') reads += 1;
        if (runId === 'run' && reads <= failures) throw new Error('store is down');
        return store.getRun(runId);
      },
    }),
  };
  EngineStore.install(engine, { ...DEAF, mayHaveEnded: () => true });
  return { store, engine };
}

describe('EngineStore', () => {
  it('finds the store of the engine. If this fails after an upgrade of the core package, engines in number leave runs asleep', () => {
    const engine = new WorkflowEngine({ store: new InMemoryStateStore() });
    expect(EngineStore.install(engine, DEAF)).toBeInstanceOf(EngineStore);
  });

  it('stays out where the engine has no store', () => {
    expect(EngineStore.install({}, DEAF)).toBeUndefined();
    expect(EngineStore.install({ store: { getRun() {} } }, DEAF)).toBeUndefined();
  });

  it('releases a lock when the write is done that follows a read', async () => {
    const [reads, writes] = [deferred<void>(), deferred<void>()];
    const { seen, isLocked } = await installed((store) => ({
      getRun: async (runId) => {
        await reads.promise;
        return store.getRun(runId);
      },
      updateRun: async (...args) => {
        await writes.promise;
        return store.updateRun(...args);
      },
    }));
    // As the engine does it.
    const settled = seen.getRun('run').then(() => seen.updateRun('run', { status: 'suspended' }));
    const released = seen.releaseRunLock('run');
    await settle();
    expect(await isLocked()).toBe(true);
    reads.resolve();
    await settle();
    expect(await isLocked()).toBe(true);
    writes.resolve();
    await Promise.all([settled, released]);
    expect(await isLocked()).toBe(false);
  });

  it.each([
    ['tryLockRun', (seen: InMemoryStateStore) => seen.tryLockRun('run', 'one', Date.now() + 30_000, Date.now())],
    ['releaseRunLock', (seen: InMemoryStateStore) => seen.releaseRunLock('run')],
  ] as const)('waits for %s until it is answered: a process that ends before leaves the run locked', async (method, call) => {
    const answers = deferred<void>();
    let isSlow = false;
    const { seen, idle } = await installed((inner) => ({
      async [method](...args: never[]) {
        if (isSlow) await answers.promise;
        return Reflect.apply(inner[method], inner, args);
      },
    }));
    isSlow = true;
    const called = call(seen);
    const quiet = idle();
    await settle();
    expect(await stateOf(quiet)).toBe('pending');
    answers.resolve();
    await Promise.all([called, quiet]);
  });

  it('tells when the engine asks for nothing more: a child that has ended is still to be told to its parent', async () => {
    const [ends, tokens] = [deferred<void>(), deferred<void>()];
    const { seen, store, idle } = await installed((inner) => ({
      updateRun: async (...args) => {
        await ends.promise;
        return inner.updateRun(...args);
      },
      takeSignalWaiter: async (token) => {
        await tokens.promise;
        return inner.takeSignalWaiter(token);
      },
    }));
    // As the engine does it: nobody waits for the parent to be told.
    void seen.updateRun('run', { status: 'completed' }).then(() => seen.takeSignalWaiter('child:run'));
    const quiet = idle();
    await settle();
    ends.resolve();
    await settle();
    expect(await stateOf(quiet)).toBe('pending');
    tokens.resolve();
    await quiet;
    expect((await store.getRun('run'))?.status).toBe('completed');
  });

  it('releases a lock although the write fails', async () => {
    const { seen, isLocked } = await installed(() => ({ updateRun: () => Promise.reject(new Error('store is down')) }));
    const settled = seen.updateRun('run', { status: 'suspended' });
    await Promise.all([expect(settled).rejects.toThrow('store is down'), seen.releaseRunLock('run')]);
    expect(await isLocked()).toBe(false);
  });

  it.each(['completed', 'failed'] as const)('releases a lock when it is written that the run is %s', async (status) => {
    const [writes, tellsParent] = [deferred<void>(), deferred<void>()];
    const { seen, isLocked } = await installed((store) => ({
      updateRun: async (...args) => {
        await writes.promise;
        return store.updateRun(...args);
      },
      getCheckpoint: async () => {
        await tellsParent.promise;
        return null;
      },
    }));
    const end = seen.updateRun('run', { status });
    const after = seen.getCheckpoint('run', 0);
    const released = seen.releaseRunLock('run');
    await settle();
    expect(await isLocked()).toBe(true);
    writes.resolve();
    await Promise.all([end, released]);
    expect(await isLocked()).toBe(false);
    tellsParent.resolve();
    await after;
  });

  it('holds a lock while the next turn is written, although the end before it was written beside another call', async () => {
    const [writes, reads] = [deferred<void>(), deferred<void>()];
    const { seen, isLocked } = await installed((store) => ({
      updateRun: async (...args) => {
        if (args[1].status === 'suspended') await writes.promise;
        return store.updateRun(...args);
      },
      getCheckpoint: async () => {
        await reads.promise;
        return null;
      },
    }));
    const read = seen.getCheckpoint('run', 0);
    await seen.updateRun('run', { status: 'failed' });
    const settled = seen.updateRun('run', { status: 'suspended' });
    const released = seen.releaseRunLock('run');
    await settle();
    expect(await isLocked()).toBe(true);
    reads.resolve();
    writes.resolve();
    await Promise.all([read, settled, released]);
    expect(await isLocked()).toBe(false);
  });

  it.each(['completed', 'failed'] as const)('releases a lock although it can not be written that the run is %s', async (status) => {
    const { seen, isLocked } = await installed(() => ({ updateRun: () => Promise.reject(new Error('store is down')) }));
    const end = seen.updateRun('run', { status });
    await Promise.all([expect(end).rejects.toThrow('store is down'), seen.releaseRunLock('run')]);
    expect(await isLocked()).toBe(false);
  });

  it('holds a lock while a cancel is written: the turn beside it still writes that it is suspended', async () => {
    const writes = deferred<void>();
    const { seen, isLocked } = await installed(() => ({ updateRun: () => writes.promise }));
    const settled = [seen.updateRun('run', { status: 'cancelled' }), seen.updateRun('run', { status: 'suspended' })];
    const released = seen.releaseRunLock('run');
    await settle();
    expect(await isLocked()).toBe(true);
    writes.resolve();
    await Promise.all([...settled, released]);
    expect(await isLocked()).toBe(false);
  });

  it('releases a lock of a run whose calls are forgotten: the invocation that made them is over', async () => {
    let isAbandoned = true;
    const { seen, isLocked, forget } = await installed((store) => ({
      updateRun: (...args) => (isAbandoned ? new Promise(() => {}) : store.updateRun(...args)),
    }));
    void seen.updateRun('run', { status: 'completed' });
    void seen.updateRun('run', { status: 'suspended' });
    forget('run');
    isAbandoned = false;
    const settled = seen.updateRun('run', { status: 'suspended' });
    await seen.releaseRunLock('run');
    await settled;
    expect(await isLocked()).toBe(false);
  });

  it('keeps no lock where the run can not be read under it', async () => {
    const store = new InMemoryStateStore();
    const now = new Date();
    await store.createRun({
      id: 'run',
      workflow: 'w',
      workflowVersion: '1',
      status: 'suspended',
      input: {},
      createdAt: now,
      updatedAt: now,
    });
    const engine = { store: viewOf(store, { getRun: () => Promise.reject(new Error('store is down')) }) };
    EngineStore.install(engine, { ...DEAF, mayHaveEnded: () => true });
    const locked = engine.store.tryLockRun('run', 'one', Date.now() + 30_000, Date.now());
    await expect(locked).rejects.toThrow('store is down');
    expect((await store.getRun('run'))?.lockedUntil ?? 0).toBe(0);
  });

  it('keeps a lock that a turn takes, where the run is read under it at the third try', async () => {
    const { store, engine } = await lockedUnderRead(2);
    const locked = asTurn('run', () => engine.store.tryLockRun('run', 'one', Date.now() + 30_000, Date.now()));
    await expect(locked).resolves.toBe(true);
    expect((await store.getRun('run'))?.lockedBy).toBe('one');
  });

  it('refuses a pass the lock of a listed run that has failed, and no turn of the run', async () => {
    const { seen, store } = await installed();
    await store.releaseRunLock('run');
    await seen.listIncompleteRuns();
    await store.updateRun('run', { status: 'failed' });
    const lock = () => seen.tryLockRun('run', 'one', Date.now() + 30_000, Date.now());
    expect(await lock()).toBe(false);
    expect(await asTurn('another run', lock)).toBe(false);
    expect(await asTurn('run', lock)).toBe(true);
  });

  describe('a run that a pass recovers', () => {
    /** What its state is after the pass has written, where it was `status` and locked by somebody else or not. */
    async function recovered(status: RunStatus, isLocked: boolean) {
      const { store, seen } = await installed();
      await store.updateRun('run', { status });
      if (!isLocked) await store.releaseRunLock('run');
      await seen.updateRun('run', { status: 'pending', updatedAt: new Date() });
      return store.getRun('run');
    }

    it('becomes pending where it was running, and its lock is free', async () => {
      const run = await recovered('running', false);
      expect(run?.status).toBe('pending');
      expect(run?.lockedUntil ?? 0).toBe(0);
    });

    it.each(['cancelled', 'completed', 'failed', 'suspended'] as const)(
      'stays %s where it has become so since it was listed',
      async (status) => {
        expect((await recovered(status, false))?.status).toBe(status);
      },
    );

    it('stays as it is where a turn or a cancel has its lock', async () => {
      const run = await recovered('running', true);
      expect(run?.status).toBe('running');
      expect(run?.lockedBy).toBe('one');
    });

    it('becomes pending where an operator has it started again', async () => {
      const { store, seen } = await installed();
      await store.updateRun('run', { status: 'failed' });
      await seen.updateRun('run', { status: 'pending', error: undefined });
      expect((await store.getRun('run'))?.status).toBe('pending');
    });
  });

  it('waits for no call on another run', async () => {
    const never = deferred<void>();
    const { seen, isLocked } = await installed(() => ({ saveCheckpoint: () => never.promise }));
    const at = new Date();
    const other = { runId: 'other', seq: 0, name: 'a', kind: 'remote', stepId: 'other:0', status: 'pending', attempts: 1 } as const;
    void seen.saveCheckpoint({ ...other, enqueuedAt: at, startedAt: at, finishedAt: at });
    await seen.releaseRunLock('run');
    expect(await isLocked()).toBe(false);
  });

  it('tells of a lock that is refused, and of a state that is written', async () => {
    const { seen, told } = await installed();
    expect(await seen.tryLockRun('run', 'two', Date.now() + 30_000, Date.now())).toBe(false);
    await seen.updateRun('run', { status: 'suspended' });
    await seen.updateRun('run', { recoveryAttempts: 1 });
    expect(told).toEqual(['refused run', 'written run']);
  });

  it('passes on what it does not know', async () => {
    const { seen } = await installed();
    expect(await seen.listRuns({ statuses: ['running'] })).toHaveLength(1);
    expect(Reflect.get(seen, 'nothing')).toBeUndefined();
  });
});

describe('a turn', () => {
  it.each([
    ['takeBufferedSignal', (ctx: WorkflowCtx) => ctx.waitForSignal('go')],
    ['listBufferedEvents', (ctx: WorkflowCtx) => ctx.waitForEvent('go')],
  ] as const)('outlasts a store that is away at its %s', async (method, wait) => {
    const store = new InMemoryStateStore();
    let failures = 0;
    const away = viewOf(store, {
      async [method](...args: never[]) {
        failures += 1;
        if (failures === 1) throw new Error('connect ECONNREFUSED');
        return Reflect.apply(store[method], store, args);
      },
    });
    const { engine } = new EngineInstance(away, 'one');
    engine.register('waits', '1', async (ctx) => {
      await ctx.step('first', {});
      return wait(ctx);
    });
    await engine.start('waits', {}, 'run');
    await vi.waitFor(async () => expect((await store.getRun('run'))?.status).toBe('suspended'));
    await store.saveCheckpoint({ ...nonNull(await store.getCheckpoint('run', 0)), status: 'completed', output: 1 });
    await engine.resume('run');
    expect(failures).toBeGreaterThan(1);
    expect((await store.getRun('run'))?.status).toBe('suspended');
  });
});

describe('a pass of the engine', () => {
  it.each([
    ['runPending', 'listPendingRuns', { status: 'pending' }],
    ['recoverIncomplete', 'listIncompleteRuns', { status: 'running' }],
    ['resumeDueTimers', 'listDueTimers', { status: 'suspended', wakeAt: 1 }],
  ] as const)('%s leaves a run alone that has failed since it read its list', async (pass, list, state) => {
    const store = new InMemoryStateStore();
    const listed = deferred<void>();
    const late = viewOf(store, {
      async [list](...args: never[]) {
        const runs: unknown = structuredClone(await Reflect.apply(store[list], store, args));
        await listed.promise;
        return runs;
      },
    });
    const { engine } = new EngineInstance(late, 'one');
    let turns = 0;
    engine.register('workflow', '1', async () => {
      turns += 1;
      throw new Error('never mind');
    });
    const at = new Date();
    await store.createRun({ id: 'run', workflow: 'workflow', workflowVersion: '1', input: {}, createdAt: at, updatedAt: at, ...state });
    const passed = engine[pass]();
    await settle();
    await store.updateRun('run', { status: 'failed' });
    // A later pass has read its list before the first comes to the run.
    const other = { id: 'other', workflow: 'unknown', workflowVersion: '1', input: {}, createdAt: at, updatedAt: at, ...state };
    await store.createRun(other);
    void engine[pass]().catch(() => undefined);
    listed.resolve();
    expect(await passed).toEqual([]);
    expect(turns).toBe(0);
    expect(await store.getRun('run')).toMatchObject({ status: 'failed' });
    expect((await store.getRun('run'))?.lockedUntil).toBeUndefined();
    expect(await stateOf(engine.drain())).toBe('fulfilled');
  });
});

describe('the lease of a lock', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date', 'hrtime'], now: 1_000_000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const lease = 30_000;

  /** A run on a list that a pass has read, and what a pass of the engine does 40 seconds later. */
  async function listedLongAgo() {
    const { store, seen } = await installed();
    await store.releaseRunLock('run');
    const listedAt = Date.now();
    await seen.listIncompleteRuns();
    vi.advanceTimersByTime(40_000);
    const lockedUntil = async () => (await store.getRun('run'))?.lockedUntil;
    return { store, seen, listedAt, lockedUntil };
  }

  it('begins when the lock is taken, not when the pass has read its list', async () => {
    const { seen, listedAt, lockedUntil } = await listedLongAgo();
    await seen.tryLockRun('run', 'one', listedAt + lease, listedAt);
    expect(await lockedUntil()).toBe(listedAt + 40_000 + lease);
  });

  it('stays as the engine has it where the lock is taken by its clock of now', async () => {
    const { seen, lockedUntil } = await listedLongAgo();
    await seen.tryLockRun('run', 'one', Date.now() + lease, Date.now());
    expect(await lockedUntil()).toBe(Date.now() + lease);
  });

  it("stays as the engine has it where its clock is not the system's", async () => {
    const { seen, lockedUntil } = await listedLongAgo();
    await seen.tryLockRun('run', 'one', lease, 0);
    expect(await lockedUntil()).toBe(lease);
  });
});

function nonNull<T>(value: T | null): T {
  if (value === null) throw new Error('expected a value, got null');
  return value;
}
