import { InMemoryStateStore, type StateStore, type WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterEach, describe, expect, it } from 'vitest';
import type { RemoteTask } from '../../../src/wire/remote-task.ts';
import type { StepResult } from '../../../src/wire/step-result.ts';
import { EngineFleet, type FleetOptions } from '../../support/engine-fleet.ts';
import { viewOf } from '../../support/engine-instances.ts';
import { seededRandom, slowStore } from '../../support/slow-store.ts';

const fleets: EngineFleet[] = [];
afterEach(() => {
  for (const fleet of fleets.splice(0)) fleet.close();
});

const KINDS = ['one', 'chain', 'fan-out', 'retry', 'sleep', 'parent'] as const;

function register(engine: WorkflowEngine): void {
  engine.register('one', '1', (ctx) => ctx.step('a', 1));
  engine.register('chain', '1', async (ctx) => [await ctx.step('a', 1), await ctx.step('b', 2), await ctx.step('c', 3)]);
  engine.register('fan-out', '1', (ctx) => Promise.all(Array.from({ length: 10 }, (_, n) => ctx.step('a', n))));
  engine.register('retry', '1', (ctx) => ctx.step('flaky', 7, { retries: 3, backoffMs: 100 }));
  engine.register('sleep', '1', async (ctx) => {
    await ctx.sleep(300);
    return ctx.step('b', 2);
  });
  engine.register('parent', '1', (ctx) => Promise.all([ctx.child('one', 1), ctx.child('chain', 2)]));
  engine.register('signalled', '1', async (ctx) => [await ctx.waitForSignal('go'), await ctx.step('a', 1)]);
  engine.register('cancels', '1', (ctx) => ctx.localStep('cancel', async () => (await engine.cancel('other'))?.status));
  engine.register('hanging', '1', (ctx) => ctx.localStep('hang', () => new Promise<never>(() => {})));
}

function work({ name, attempt }: RemoteTask): Partial<StepResult> {
  if (name === 'flaky' && (attempt ?? 1) < 3) return { status: 'failed', output: undefined, error: { message: 'busy', retryable: true } };
  return {};
}

function fleetOf(options: Partial<FleetOptions> = {}) {
  const store = options.store ?? new InMemoryStateStore();
  const fleet = new EngineFleet({ store, register, work, ...options });
  fleets.push(fleet);
  const start = async (workflow: string, runId: string = workflow) => {
    await fleet.starter().start(workflow, {}, runId);
    return runId;
  };
  return { store, fleet, start };
}

describe('an invocation that cancels a run', () => {
  it('goes on until the cancel lasts, beside a turn in another environment', async () => {
    const { store, fleet, start } = fleetOf();
    const at = new Date();
    await store.createRun({
      id: 'other',
      workflow: 'one',
      workflowVersion: '1',
      status: 'running',
      input: {},
      createdAt: at,
      updatedAt: at,
    });
    await store.tryLockRun('other', 'elsewhere', Date.now() + 30_000, Date.now());
    const turn = new Promise((resolve) => setTimeout(resolve, 1_500)).then(async () => {
      await store.updateRun('other', { status: 'suspended' });
      await store.releaseRunLock('other');
    });
    await start('cancels');
    await fleet.tick();
    await turn;
    expect((await store.getRun('other'))?.status).toBe('cancelled');
    expect((await store.getRun('cancels'))?.output).toBe('cancelled');
  });
});

describe('environments that die', () => {
  // Locks of 2 s instead of 30: a run whose environment has died is free after that.
  const engine = { leaseMs: 2_000, reconcileMs: 3_000, remoteRedispatchMs: 1_000 };

  it('leave no run asleep: ten side by side, a fifth of the invocations killed', { timeout: 90_000 }, async () => {
    const random = seededRandom(11);
    const { store, fleet, start } = fleetOf({ store: slowStore(3), environments: 10, killed: 0.2, random, engine, batchSize: 5 });
    const runIds = await Promise.all(Array.from({ length: 60 }, (_, n) => start(KINDS[n % KINDS.length] ?? 'one', `run-${n}`)));
    const ticker = setInterval(() => void fleet.tick(), 1_000);
    try {
      await fleet.ended(runIds, 80_000);
    } finally {
      clearInterval(ticker);
    }
    const runs = await Promise.all(runIds.map((id) => store.getRun(id)));
    const ends = runs.map((run) => ({ id: run?.id, workflow: run?.workflow, status: run?.status, error: run?.error?.message }));
    expect(ends.filter(({ status }) => status !== 'completed')).toEqual([]);
    expect(fleet.invocations.killed).toBeGreaterThan(10);
  });
});

describe('a wake-up that is lost', () => {
  it('costs a minute: the tick wakes its run', async () => {
    const { store, fleet, start } = fleetOf();
    fleet.losesWakeUps = true;
    const runId = await start('sleep');
    await fleet.tick();
    await fleet.until(async () => {
      await fleet.tick();
      return (await store.getRun(runId))?.status === 'completed';
    });
    expect(fleet.wakeUps).toEqual([1]);
  });
});

describe('work that outlasts its invocation', () => {
  it('goes back, ends for good, and holds no other record', async () => {
    const { store, fleet, start } = fleetOf({ timeoutMs: 600 });
    const [hanging, one] = [await start('hanging'), await start('one')];
    const startedAt = Date.now();
    await fleet.tick();
    expect(Date.now() - startedAt).toBeLessThan(700);
    expect(fleet.logger.lines.map(({ message }) => message)).toEqual(['out of time: a tick is not finished, and the next one goes on']);
    expect((await store.getRun(hanging))?.status).toBe('running');
    await fleet.tick();
    await fleet.ended([one]);
  });
});

describe('a call of the store at the end of an invocation', () => {
  /** The write of `running` is answered when the test says so. */
  function heldStore() {
    const memory = new InMemoryStateStore();
    const { promise, resolve } = Promise.withResolvers<void>();
    const store = viewOf(memory, {
      async updateRun(runId, patch) {
        if (patch.status === 'running') await promise;
        return memory.updateRun(runId, patch);
      },
    });
    return { store, answer: resolve };
  }

  it('gets its answer before the process is frozen: it may be in the midst of a transaction, which holds locks', async () => {
    const { store, answer } = heldStore();
    const { fleet, start } = fleetOf({ store, timeoutMs: 2_000 });
    await start('one');
    const tick = fleet.tick();
    await fleet.until(async () => fleet.logger.lines.length === 1, { everyMs: 1 });
    expect(fleet.invocations.ended).toBe(0);
    answer();
    await tick;
    expect(fleet.invocations.killed).toBe(0);
    expect(fleet.logger.lines.map(({ message }) => message)).toEqual([expect.stringContaining('out of time')]);
  });

  it('keeps no later turn of its run from its end: the next call of its turn was refused', async () => {
    const { store, answer } = heldStore();
    const { fleet, start } = fleetOf({ store, timeoutMs: 1_000, engine: { leaseMs: 500 } });
    const runId = await start('one');
    const tick = fleet.tick();
    await fleet.until(async () => fleet.logger.lines.length === 1, { everyMs: 1 });
    answer();
    await tick;
    fleet.logger.lines.length = 0;
    await fleet.until(async () => {
      await fleet.tick();
      return (await store.getRun(runId))?.status === 'completed';
    });
    expect(fleet.logger.lines.map(({ message }) => message)).toEqual(['run completed']);
  });

  it('keeps no later turn of a run from its end that a pass only looked at', async () => {
    const memory = new InMemoryStateStore();
    const at = new Date();
    const run = { id: 'run', workflow: 'one', workflowVersion: '1', input: {}, createdAt: at, updatedAt: at };
    await memory.createRun({ ...run, status: 'running' });
    const step = { runId: 'run', seq: 0, name: 'a', kind: 'remote', stepId: 'run:0', attempts: 1, workerGroup: 'a' } as const;
    await memory.saveCheckpoint({ ...step, status: 'pending', input: 1, enqueuedAt: at, startedAt: at, finishedAt: at });
    const { promise, resolve } = Promise.withResolvers<void>();
    // The pass looks for a step that is out, and then has the run suspended.
    const store = viewOf(memory, {
      async listCheckpoints(runId) {
        await promise;
        return memory.listCheckpoints(runId);
      },
    });
    const { fleet } = fleetOf({ store, timeoutMs: 1_000, engine: { leaseMs: 500 } });
    const tick = fleet.tick();
    await fleet.until(async () => fleet.logger.lines.length === 1, { everyMs: 1 });
    resolve();
    await tick;
    expect((await memory.getRun('run'))?.status).toBe('running');
    fleet.logger.lines.length = 0;
    await fleet.until(async () => {
      await fleet.tick();
      return (await memory.getRun('run'))?.status === 'suspended';
    });
    expect(fleet.logger.lines).toEqual([]);
  });

  it('ends the process where it gets none', async () => {
    const { store } = heldStore();
    const { fleet, start } = fleetOf({ store, timeoutMs: 600 });
    await start('one');
    await fleet.tick();
    expect(fleet.invocations.killed).toBe(1);
    expect(fleet.logger.lines.at(-1)?.message).toContain('the store has not answered by the end of the invocation');
  });
});

describe('an invocation that ends in the middle of its work', () => {
  /** A store that answers one call of a method when the test says so, with what it has done at once. */
  function storeHolding(method: 'saveCheckpoint' | 'takeBufferedSignal') {
    const memory = new InMemoryStateStore();
    const [asked, answers] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const store = viewOf(memory, {
      async [method](...args: never[]) {
        const answer: unknown = await Reflect.apply(memory[method], memory, args);
        asked.resolve();
        await answers.promise;
        return answer;
      },
    });
    return { memory, store, asked: asked.promise, answer: answers.resolve };
  }

  it('sends the task of a step that is saved as out: nobody else would send it', async () => {
    const { store, answer } = storeHolding('saveCheckpoint');
    const { fleet, start } = fleetOf({ store, timeoutMs: 2_000 });
    await start('fan-out');
    const tick = fleet.tick();
    await fleet.until(async () => fleet.logger.lines.length === 1, { everyMs: 1 });
    answer();
    await tick;
    expect(fleet.tasks.map(({ stepId }) => stepId)).toEqual(Array.from({ length: 10 }, (_, seq) => `fan-out:${seq}`));
    expect((await store.getRun('fan-out'))?.status).toBe('running');
  });

  it('saves a signal that was taken from the store: it is there no more', async () => {
    const { memory, store, asked, answer } = storeHolding('takeBufferedSignal');
    const { fleet, start } = fleetOf({ store, timeoutMs: 2_000 });
    await memory.bufferSignal('go', 'signalled');
    await start('signalled');
    const tick = fleet.tick();
    await asked;
    await fleet.until(async () => fleet.logger.lines.length === 1, { everyMs: 1 });
    answer();
    await tick;
    expect(await memory.getCheckpoint('signalled', 0)).toMatchObject({ status: 'completed', output: 'signalled' });
    // The turn does not go on: another environment takes it from here.
    expect(fleet.tasks).toEqual([]);
  });
});

describe('a store that is down', () => {
  it('fails the invocation, and loses nothing', async () => {
    let isDown = false;
    const memory = new InMemoryStateStore();
    const store: StateStore = new Proxy(memory, {
      get(target, property) {
        const member: unknown = Reflect.get(target, property);
        if (typeof member !== 'function') return member;
        return async (...given: unknown[]) => {
          if (isDown) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
          return Reflect.apply(member, target, given);
        };
      },
    });
    const { fleet, start } = fleetOf({ store, work: () => undefined, visibilityMs: 50 });
    const runId = await start('one');
    await fleet.tick();
    isDown = true;
    fleet.put('durable-results', { runId, seq: 0, stepId: `${runId}:0`, status: 'completed', output: 'late' });
    await fleet.until(async () => fleet.invocations.failed > 0);
    isDown = false;
    await fleet.ended([runId]);
    expect(await memory.getRun(runId)).toMatchObject({ status: 'completed', output: 'late' });
  });
});
