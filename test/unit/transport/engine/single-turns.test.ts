import { InMemoryStateStore, type WorkflowCtx } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { stateOf } from '../../../support/deferred.ts';
import { EngineInstance, viewOf } from '../../../support/engine-instances.ts';
import { pass } from '../fake-sqs.ts';
import { toleratingUnhandledRejections } from '../unhandled-rejections.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const WORKFLOWS: Readonly<Record<string, (ctx: WorkflowCtx) => Promise<unknown>>> = {
  'one step': (ctx) => ctx.step('a', 1),
  'two steps': async (ctx) => [await ctx.step('a', 1), await ctx.step('b', 2)],
  'a step and a sleep': async (ctx) => {
    const output = await ctx.step('a', 1);
    await ctx.sleep(1_000);
    return output;
  },
  'a step that is retried': (ctx) => ctx.step('flaky', 1, { retries: 3, backoffMs: 500 }),
  'a fan-out': (ctx) => Promise.all([1, 2, 3].map((input) => ctx.step('a', input))),
};

/** Two instances on one store; the first writes `suspended` late. */
function twoInstances(lateMs: number) {
  const store = new InMemoryStateStore();
  const late = viewOf(store, {
    async updateRun(runId, patch) {
      if (patch.status === 'suspended') await sleep(lateMs);
      return store.updateRun(runId, patch);
    },
  });
  const [first, second] = [new EngineInstance(late, 'first'), new EngineInstance(store, 'second')] as const;
  for (const { engine } of [first, second]) for (const [name, run] of Object.entries(WORKFLOWS)) engine.register(name, '1', run);
  return { store, first, second };
}

describe('a `suspended` that is written late', () => {
  it.each(Object.keys(WORKFLOWS))('leaves no run asleep whose results another instance is given: %s', async (workflow) => {
    const { store, first, second } = twoInstances(600);
    const answers: Promise<void>[] = [];
    for (const instance of [first, second]) {
      instance.onDispatch = (task) => {
        const isFailing = task.name === 'flaky' && task.attempt === 1;
        const failure = { status: 'failed', error: { message: 'busy', retryable: true } } as const;
        setTimeout(() => answers.push(second.answer(task, isFailing ? failure : {})), 10);
      };
    }
    const poller = setInterval(() => void second.engine.resumeDueTimers(), 250);
    await first.engine.start(workflow, {}, 'run');
    await pass(10_000);
    clearInterval(poller);
    await Promise.all(answers);
    expect(await store.getRun('run')).toMatchObject({ status: 'completed' });
    const dispatched = [...first.tasks, ...second.tasks].map(({ seq, attempt }) => `${seq}#${attempt}`);
    expect(dispatched).toEqual([...new Set(dispatched)]);
  });

  it('leaves no run asleep whose result was saved by an instance that died, and comes again in the middle of it', async () => {
    const { store, first } = twoInstances(600);
    await first.engine.start('one step', {}, 'run');
    await pass();
    const [task] = first.tasks;
    const checkpoint = await store.getCheckpoint('run', 0);
    if (task === undefined || checkpoint === null) throw new Error('expected a task and its checkpoint');
    await store.saveCheckpoint({ ...checkpoint, status: 'completed', output: 0 });
    const answer = first.answer(task, {}, 2);
    await pass(5_000);
    expect(await stateOf(answer)).toBe('fulfilled');
    expect(await store.getRun('run')).toMatchObject({ status: 'completed', output: 0 });
  });

  it('ends before the result counts as accepted', async () => {
    const { store, first, second } = twoInstances(600);
    await first.engine.start('one step', {}, 'run');
    await pass();
    const [task] = first.tasks;
    const answer = task && second.answer(task);
    if (answer === undefined) throw new Error('expected a task');
    await pass(500);
    expect(await stateOf(answer)).toBe('pending');
    await pass(1_500);
    expect(await stateOf(answer)).toBe('fulfilled');
    expect(await store.getRun('run')).toMatchObject({ status: 'completed', output: 0 });
  });
});

it.each([
  ['at once', 0],
  ['late', 500],
])('a run that has completed ends once, where another instance asks for its lock %s', async (_when, lockMs) => {
  const store = new InMemoryStateStore();
  const slow = viewOf(store, {
    async updateRun(runId, patch) {
      if (patch.status === 'completed') await sleep(100);
      return store.updateRun(runId, patch);
    },
  });
  const waiting = viewOf(store, {
    async tryLockRun(...args) {
      if (lockMs > 0) await sleep(lockMs);
      return store.tryLockRun(...args);
    },
  });
  const instances = [new EngineInstance(slow, 'first'), new EngineInstance(waiting, 'second')] as const;
  const [turns, ends]: [string[], string[]] = [[], []];
  for (const [index, { engine }] of instances.entries()) {
    engine.register('workflow', '1', (ctx) => {
      turns.push(`instance ${index}`);
      return ctx.step('a', 1);
    });
    engine.subscribe(({ type }) => {
      if (type === 'run.completed') ends.push(`instance ${index}`);
    });
  }
  const [first, second] = instances;
  await first.engine.start('workflow', {}, 'run');
  await pass();
  const [task] = first.tasks;
  const answer = task && first.answer(task);
  await pass(50);
  expect(await store.getRun('run')).toMatchObject({ status: 'suspended', lockedBy: 'first' });
  const resumed = second.engine.resume('run');
  await pass(2_000);
  await Promise.all([answer, resumed]);
  expect([turns, ends]).toEqual([['instance 0', 'instance 0'], ['instance 0']]);
  const run = await store.getRun('run');
  expect(run).toMatchObject({ status: 'completed' });
  expect(run?.lockedUntil ?? 0).toBe(0);
});

/** A run whose first step fails for good while its second is out; the second is undone when it has completed late. */
async function failedWithStepOut() {
  const store = new InMemoryStateStore();
  const slow = viewOf(store, {
    async updateRun(runId, patch) {
      if (patch.status === 'failed') await sleep(100);
      return store.updateRun(runId, patch);
    },
  });
  const [first, second] = [new EngineInstance(slow, 'first'), new EngineInstance(store, 'second')] as const;
  for (const { engine } of [first, second]) {
    engine.register('saga', '1', (ctx) =>
      Promise.all([ctx.step('charge', 1, { retries: 0 }), ctx.step('reserve', 2, { compensate: 'release' })]),
    );
  }
  await first.engine.start('saga', {}, 'run');
  await pass();
  const [charge, reserve] = first.tasks;
  if (charge === undefined || reserve === undefined) throw new Error('expected two tasks');
  const failing = first.answer(charge, { status: 'failed', error: { message: 'declined', retryable: false } });
  const undoes = () => [...first.tasks, ...second.tasks].filter(({ name }) => name === 'release').length;
  return { store, second, reserve, failing, undoes };
}

describe('a result that comes after its run has failed', () => {
  it('has its step undone, where the result comes to another instance while the run is failing', async () => {
    const { second, reserve, failing, undoes } = await failedWithStepOut();
    await pass(50);
    const answer = second.answer(reserve);
    await pass(2_000);
    await Promise.all([failing, answer]);
    expect(undoes()).toBe(1);
  });

  it('has its step undone, where a pass had listed the run while it went on', async () => {
    const { store, second, reserve, failing, undoes } = await failedWithStepOut();
    await pass(50);
    const run = await store.getRun('run');
    if (run === null) throw new Error('expected a run');
    store.listIncompleteRuns = async () => [run];
    const recovered = second.engine.recoverIncomplete();
    await pass(500);
    await Promise.all([failing, recovered]);
    expect(await store.getRun('run')).toMatchObject({ status: 'failed' });
    const answer = second.answer(reserve);
    await pass(2_000);
    await answer;
    expect(undoes()).toBe(1);
  });

  it('has its step undone, where the result was saved by an instance that died, and comes again', async () => {
    const { store, second, reserve, failing, undoes } = await failedWithStepOut();
    await pass(500);
    await failing;
    expect(await store.getRun('run')).toMatchObject({ status: 'failed' });
    const checkpoint = await store.getCheckpoint('run', reserve.seq);
    if (checkpoint === null) throw new Error('expected a checkpoint');
    await store.saveCheckpoint({ ...checkpoint, status: 'completed', output: 2 });
    const answer = second.answer(reserve, {}, 2);
    await pass(2_000);
    await answer;
    expect(undoes()).toBe(1);
  });
});

/** A run that waits for a signal, and then dispatches a step. */
async function waitingForSignal(store: InMemoryStateStore) {
  const instance = new EngineInstance(store, 'one');
  instance.engine.register('workflow', '1', async (ctx) => [await ctx.waitForSignal('go'), await ctx.step('a', 1)]);
  await instance.engine.start('workflow', {}, 'run');
  await pass();
  expect(await store.getRun('run')).toMatchObject({ status: 'suspended' });
  return instance;
}

describe('a signal', () => {
  it('wakes a run that another instance holds, once that lets go of it', async () => {
    const store = new InMemoryStateStore();
    const { engine, tasks } = await waitingForSignal(store);
    await store.tryLockRun('run', 'another', Date.now() + 30_000, Date.now());
    await engine.signal('go', 'now');
    await pass(3_000);
    expect(tasks).toEqual([]);
    await store.releaseRunLock('run');
    await pass(1_000);
    expect(tasks).toHaveLength(1);
  });

  it('wakes a run whose turn fails at first', async () => {
    const store = new InMemoryStateStore();
    let failures = 0;
    const failing = viewOf(store, {
      async listCheckpoints(runId) {
        if ((await store.getCheckpoint(runId, 0)) !== null && failures < 6) {
          failures += 1;
          throw new Error('store is down');
        }
        return store.listCheckpoints(runId);
      },
    });
    const { engine, tasks } = await waitingForSignal(failing);
    await toleratingUnhandledRejections(async () => {
      const signalled = expect(engine.signal('go', 'now')).rejects.toThrow('store is down');
      await pass(5_000);
      await signalled;
    });
    // Five of the first turn, whose calls are made again, and one of the next.
    expect(failures).toBe(6);
    expect(tasks).toHaveLength(1);
  });

  it('leaves a line where the turn keeps failing, and nothing is tried any more', async () => {
    const store = new InMemoryStateStore();
    let calls = 0;
    const failing = viewOf(store, {
      async listCheckpoints(runId) {
        if ((await store.getCheckpoint(runId, 0)) === null) return store.listCheckpoints(runId);
        calls += 1;
        throw new Error('store is down');
      },
    });
    const { engine, logger, attached } = await waitingForSignal(failing);
    await toleratingUnhandledRejections(async () => {
      const signalled = expect(engine.signal('go', 'now')).rejects.toThrow('store is down');
      await pass(60_000);
      await signalled;
    });
    // Eleven turns, each of which asks five times.
    expect(calls).toBe(55);
    expect(logger.lines).toMatchObject([{ level: 'warn', fields: { runId: 'run', errorName: 'Error' } }]);
    const idle = attached.idle();
    await pass(100);
    expect(await stateOf(idle)).toBe('fulfilled');
  });
});

it('a turn outlasts a store that is away for five seconds: its run does not fail', async () => {
  const store = new InMemoryStateStore();
  let isDown = false;
  const away = async () => {
    if (isDown) throw new Error('store is down');
  };
  const restarting = viewOf(store, {
    async saveCheckpoint(checkpoint) {
      // It goes away in the middle of the turn.
      if (checkpoint.status === 'pending' && !isDown && dispatchesFail) isDown = true;
      await away();
      return store.saveCheckpoint(checkpoint);
    },
    async getRun(runId) {
      await away();
      return store.getRun(runId);
    },
  });
  let dispatchesFail = true;
  const instance = new EngineInstance(restarting, 'one');
  instance.engine.register('workflow', '1', (ctx) => ctx.step('a', 1));
  await instance.engine.start('workflow', {}, 'run');
  await pass(5_000);
  dispatchesFail = false;
  isDown = false;
  await pass(1_000);
  expect(instance.tasks).toHaveLength(1);
  expect(await store.getRun('run')).toMatchObject({ status: 'suspended' });
});

describe('turns of one run in one process', () => {
  it('follow each other where two results come at once, and the next step is dispatched once', async () => {
    const store = new InMemoryStateStore();
    const slow = viewOf(store, {
      async saveCheckpoint(checkpoint) {
        await sleep(20);
        return store.saveCheckpoint(checkpoint);
      },
      async listCheckpoints(runId) {
        await sleep(10);
        return store.listCheckpoints(runId);
      },
    });
    const instance = new EngineInstance(slow, 'one');
    instance.engine.register('workflow', '1', async (ctx) => {
      await Promise.all([1, 2, 3].map((input) => ctx.step('a', input)));
      return ctx.step('b', 4);
    });
    await instance.engine.start('workflow', {}, 'run');
    await pass(100);
    const answers = instance.tasks.splice(0).map((task) => instance.answer(task));
    await pass(1_000);
    await Promise.all(answers);
    expect(instance.tasks.map(({ name }) => name)).toEqual(['b']);
  });

  it('let whoever wakes the run meanwhile go on: a workflow may wake itself', async () => {
    const store = new InMemoryStateStore();
    let reads = 0;
    const slow = viewOf(store, {
      async listCheckpoints(runId) {
        reads += 1;
        await sleep(1_000);
        return store.listCheckpoints(runId);
      },
    });
    const instance = new EngineInstance(slow, 'one');
    instance.engine.register('workflow', '1', (ctx) => ctx.step('a', 1));
    await instance.engine.start('workflow', {}, 'run');
    await pass(500);
    expect(await instance.engine.resume('run')).toMatchObject({ status: 'running' });
    expect(await stateOf(instance.attached.idle())).toBe('pending');
    await pass(2_000);
    expect(reads).toBe(2);
    const idle = instance.attached.idle();
    await pass(100);
    expect(await stateOf(idle)).toBe('fulfilled');
    expect(instance.tasks).toHaveLength(1);
  });

  it('wait for the last checkpoint of a fan-out: its steps are dispatched once', async () => {
    const store = new InMemoryStateStore();
    const slow = viewOf(store, {
      async saveCheckpoint(checkpoint) {
        if (checkpoint.seq === 2) await sleep(500);
        return store.saveCheckpoint(checkpoint);
      },
    });
    const [first, second] = [new EngineInstance(slow, 'first'), new EngineInstance(store, 'second')];
    for (const { engine } of [first, second]) {
      engine.register('workflow', '1', (ctx) => Promise.all([1, 2, 3].map((input) => ctx.step('a', input))));
    }
    await first.engine.start('workflow', {}, 'run');
    await pass();
    const answers = first.tasks.map((task) => second.answer(task));
    expect(answers).toHaveLength(2);
    await pass(2_000);
    await Promise.all(answers);
    expect([...first.tasks, ...second.tasks].map(({ seq }) => seq)).toEqual([0, 1, 2]);
    const last = first.tasks.at(-1);
    await (last && second.answer(last));
    expect(await store.getRun('run')).toMatchObject({ status: 'completed' });
  });
});
