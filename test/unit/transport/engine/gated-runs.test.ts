import { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it } from 'vitest';
import { EngineInstance, viewOf } from '../../../support/engine-instances.ts';
import { settle } from '../../../support/fake-timing.ts';

/** Two instances on one store, with a workflow of which one run goes at a time. */
function twoInstances() {
  const store = new InMemoryStateStore();
  let isHeld = false;
  const view = viewOf(store, {
    // Another instance looks at the run, just when this one is about to begin it.
    tryLockRun: async (...args) => !(isHeld && args[0] === 'second') && store.tryLockRun(...args),
  });
  const instance = new EngineInstance(view, 'first');
  instance.engine.register('single', '1', (ctx) => ctx.step('a', 1), { singleton: { key: () => 'all' } });
  const hold = (held: boolean) => {
    isHeld = held;
  };
  return { store, instance, hold };
}

describe('a run that waits for another one of its singleton', () => {
  it('keeps its timer when its turn has come and another instance holds it', async () => {
    const { store, instance, hold } = twoInstances();
    await instance.engine.start('single', {}, 'first');
    await settle();
    await instance.engine.start('single', {}, 'second');
    await settle();
    expect(await store.getRun('second')).toMatchObject({ status: 'suspended', wakeAt: expect.any(Number) });
    hold(true);
    await instance.answer({ runId: 'first', seq: 0, stepId: 'first:0' });
    await settle();
    hold(false);
    expect(await store.getRun('first')).toMatchObject({ status: 'completed' });
    expect(await store.getRun('second')).toMatchObject({ status: 'suspended', wakeAt: expect.any(Number) });
    await instance.engine.resumeDueTimers(Date.now() + 2_000);
    await settle();
    expect(instance.tasks.map(({ runId }) => runId)).toEqual(['first', 'second']);
  });

  it('begins at once when its turn has come and nobody holds it', async () => {
    const { instance } = twoInstances();
    await instance.engine.start('single', {}, 'first');
    await instance.engine.start('single', {}, 'second');
    await settle();
    await instance.answer({ runId: 'first', seq: 0, stepId: 'first:0' });
    await settle();
    expect(instance.tasks.map(({ runId }) => runId)).toEqual(['first', 'second']);
  });
});
