import { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { mortal } from '../../../faults/stores.ts';
import { EngineInstance, viewOf } from '../../../support/engine-instances.ts';

const REDISPATCH_MS = 900_000;
const FAILURE = { status: 'failed', output: undefined, error: { message: 'busy', retryable: true } } as const;
const stepOf = (seq: number) => ({ runId: 'run', seq, stepId: `run:${seq}` });

/** An engine with `remoteRedispatchMs`, whose workflow has two steps out. */
async function twoStepsOut(others: (store: InMemoryStateStore) => Partial<InMemoryStateStore> = () => ({})) {
  const store = new InMemoryStateStore();
  const instance = new EngineInstance(viewOf(store, others(store)), 'one', { remoteRedispatchMs: REDISPATCH_MS, reconcileMs: 60_000 });
  instance.engine.register('w', '1', (ctx) => Promise.all([0, 1].map((n) => ctx.step('a', n, { retries: 3, backoffMs: 1_000 }))));
  await instance.engine.start('w', {}, 'run');
  await vi.advanceTimersByTimeAsync(1);
  const passes = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms);
    await instance.engine.resumeDueTimers();
    await vi.advanceTimersByTimeAsync(1);
  };
  const attempts = (seq: number) => instance.tasks.filter((task) => task.seq === seq).map(({ attempt }) => attempt);
  return { store, instance, passes, attempts };
}

describe('an engine with remoteRedispatchMs', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] }));
  afterEach(() => void vi.useRealTimers());

  it('keeps a result that is saved while the turn of its sibling goes on', async () => {
    const { promise: read, resolve: go } = Promise.withResolvers<void>();
    let isHeld = false;
    const { store, instance, passes } = await twoStepsOut((inner) => ({
      listCheckpoints: async (runId) => {
        const checkpoints = structuredClone(await inner.listCheckpoints(runId));
        if (isHeld) await read;
        return checkpoints;
      },
    }));
    isHeld = true;
    const first = instance.answer(stepOf(0));
    await vi.advanceTimersByTimeAsync(1);
    // The turn of the first result has read that this one is out, and not yet looked at it.
    const second = instance.answer(stepOf(1));
    await vi.advanceTimersByTimeAsync(1);
    isHeld = false;
    go();
    await passes(1);
    await Promise.all([first, second]);
    await passes(1_000);
    expect(await store.getRun('run')).toMatchObject({ status: 'completed', output: [0, 1] });
  });

  it('retries after the backoff of the step, also where a sibling has ended before', async () => {
    const { instance, passes, attempts } = await twoStepsOut();
    await instance.answer(stepOf(0));
    await passes(1);
    await instance.answer(stepOf(1), FAILURE);
    await passes(1_001);
    expect(attempts(1)).toEqual([1, 2]);
  });

  it('sends a step again whose task was lost, once so long after it was queued', async () => {
    const { instance, passes, attempts } = await twoStepsOut();
    await passes(60_001);
    await instance.answer(stepOf(0));
    await passes(REDISPATCH_MS - 120_000);
    expect(attempts(1)).toEqual([1]);
    await passes(60_001);
    await passes(60_001);
    expect(attempts(1)).toEqual([1, 2]);
    await passes(REDISPATCH_MS - 120_000);
    expect(attempts(1)).toEqual([1, 2]);
    await passes(120_001);
    expect(attempts(1)).toEqual([1, 2, 3]);
  });

  it('stores no deadline', async () => {
    const { store, instance, passes } = await twoStepsOut();
    await instance.answer(stepOf(0));
    await passes(1);
    await instance.answer(stepOf(1), { ...FAILURE, error: { message: 'no', retryable: false } });
    await passes(1);
    expect((await store.listCheckpoints('run')).map(({ wakeAt }) => wakeAt)).toEqual([undefined, undefined]);
  });

  it('sends a compensation again that died with the process that had saved it', async () => {
    const store = new InMemoryStateStore();
    const { store: mortalStore, end } = mortal(store);
    const deps = { remoteRedispatchMs: REDISPATCH_MS, reconcileMs: 60_000 };
    const [first, second] = [new EngineInstance(mortalStore, 'one', deps), new EngineInstance(store, 'two', deps)];
    for (const { engine } of [first, second]) {
      engine.register('w', '1', async (ctx) => {
        await ctx.step('a', 1, { compensate: 'undo' });
        throw new Error('no');
      });
    }
    // It dies before it has sent the compensation.
    first.onDispatch = ({ seq }) => seq < 0 && end();
    await first.engine.start('w', {}, 'run');
    await vi.advanceTimersByTimeAsync(1);
    void first.answer(stepOf(0));
    await vi.advanceTimersByTimeAsync(1);
    await store.releaseRunLock('run');
    const pass = async (ms: number) => {
      await vi.advanceTimersByTimeAsync(ms);
      const resumed = second.engine.resume('run');
      await vi.advanceTimersByTimeAsync(1);
      await resumed;
    };
    await pass(REDISPATCH_MS - 60_000);
    expect(second.tasks).toEqual([]);
    await pass(120_000);
    await pass(120_000);
    expect(second.tasks).toMatchObject([{ name: 'undo', seq: -1, attempt: 1 }]);
    const answered = second.answer({ runId: 'run', seq: -1, stepId: 'run:-1' });
    await vi.advanceTimersByTimeAsync(1);
    await answered;
    expect(await store.getRun('run')).toMatchObject({ status: 'failed', error: { message: 'no' } });
    expect(await store.getCheckpoint('run', -1)).toMatchObject({ status: 'completed' });
  });
});
