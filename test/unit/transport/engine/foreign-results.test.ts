import { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AwaitedElsewhereError } from '../../../../src/errors.ts';
import { EngineInstance, viewOf } from '../../../support/engine-instances.ts';
import { pass } from '../fake-sqs.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Two instances on one store, of which the second counts what it reads. */
async function twoInstances(options: { timeoutMs?: number }) {
  const store = new InMemoryStateStore();
  const reads: string[] = [];
  const counted = viewOf(store, {
    getCheckpoint: (runId, seq) => {
      reads.push('checkpoint');
      return store.getCheckpoint(runId, seq);
    },
    getRun: (runId) => {
      reads.push('run');
      return store.getRun(runId);
    },
  });
  const [first, second] = [new EngineInstance(store, 'first'), new EngineInstance(counted, 'second')] as const;
  for (const { engine } of [first, second]) engine.register('workflow', '1', (ctx) => ctx.step('a', 1, options));
  await first.engine.start('workflow', {}, 'run');
  await pass();
  const task = first.tasks[0];
  if (task === undefined) throw new Error('expected a task');
  return { store, first, second, task, reads };
}

describe('a result of a step that another instance awaits in memory', () => {
  it('goes back until it reaches that instance', async () => {
    const { store, first, second, task } = await twoInstances({ timeoutMs: 60_000 });
    await expect(second.answer(task)).rejects.toThrow(AwaitedElsewhereError);
    await first.answer(task);
    await pass();
    expect(await store.getRun('run')).toMatchObject({ status: 'completed', output: 0 });
  });

  it('costs one read the first times, and none when it comes again within a second', async () => {
    const { second, task, reads } = await twoInstances({ timeoutMs: 60_000 });
    const readsOfAnswer = async () => {
      await expect(second.answer(task)).rejects.toThrow(AwaitedElsewhereError);
      return reads.splice(0);
    };
    expect([await readsOfAnswer(), await readsOfAnswer(), await readsOfAnswer()]).toEqual([['checkpoint'], ['run'], []]);
    await pass(1_000);
    expect([await readsOfAnswer(), await readsOfAnswer()]).toEqual([['run'], []]);
  });

  it('goes to the engine, which drops it, when it comes again and nobody holds the run', async () => {
    const { store, second, task } = await twoInstances({ timeoutMs: 60_000 });
    await store.releaseRunLock('run');
    await expect(second.answer(task)).rejects.toThrow(AwaitedElsewhereError);
    await expect(second.answer(task)).resolves.toBeUndefined();
  });
});

describe('a result of a durable step that another instance has dispatched', () => {
  it('costs one read more than its own', async () => {
    const { store, first, second, task, reads } = await twoInstances({});
    await second.answer(task);
    expect(await store.getRun('run')).toMatchObject({ status: 'completed' });
    const foreign = reads.splice(0).length;
    await first.engine.start('workflow', {}, 'another');
    await second.engine.start('workflow', {}, 'own');
    await pass();
    const own = second.tasks.at(-1);
    reads.length = 0;
    await (own && second.answer(own));
    expect(foreign).toBe(reads.length + 1);
  });

  it('goes to the engine, which drops it, when it comes again and there is no such run', async () => {
    const { second } = await twoInstances({});
    const gone = { runId: 'gone', seq: 0, stepId: 'gone:0' };
    await expect(second.answer(gone)).rejects.toThrow(AwaitedElsewhereError);
    await expect(second.answer(gone)).resolves.toBeUndefined();
  });
});
