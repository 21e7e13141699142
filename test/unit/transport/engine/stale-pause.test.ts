import { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EngineInstance, viewOf } from '../../../support/engine-instances.ts';

const PAUSE_MS = 1_000;
const FAILURE = { status: 'failed', output: undefined, error: { message: 'busy', retryable: true } } as const;

/** As `store-mikro-orm` writes: what a checkpoint leaves out stays as it was. */
function keepingWakeAt(): InMemoryStateStore {
  const store = new InMemoryStateStore();
  return viewOf(store, {
    saveCheckpoint: async (checkpoint) => {
      const before = await store.getCheckpoint(checkpoint.runId, checkpoint.seq);
      return store.saveCheckpoint({ ...checkpoint, wakeAt: checkpoint.wakeAt ?? before?.wakeAt });
    },
  });
}

async function started(deps: ConstructorParameters<typeof EngineInstance>[2] = {}) {
  const instance = new EngineInstance(keepingWakeAt(), 'one', deps);
  instance.engine.register('w', '1', (ctx) => ctx.step('flaky', 1, { retries: 4, backoffMs: PAUSE_MS }));
  await instance.engine.start('w', {}, 'run');
  await vi.advanceTimersByTimeAsync(1);
  const attempts = () => instance.tasks.map(({ attempt }) => attempt);
  /** The latest attempt fails. */
  const fails = async () => {
    await instance.answer({ runId: 'run', seq: 0, stepId: 'run:0' }, FAILURE);
    await instance.engine.resumeDueTimers();
  };
  const passes = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms);
    await instance.engine.resumeDueTimers();
  };
  return { attempts, fails, passes, engine: instance.engine };
}

describe('an engine whose store keeps a wakeAt that a later write leaves out', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] }));
  afterEach(() => void vi.useRealTimers());

  it('pauses before the third attempt, too', async () => {
    const { attempts, fails, passes } = await started();
    await fails();
    expect(attempts()).toEqual([1]);
    await passes(PAUSE_MS + 1);
    expect(attempts()).toEqual([1, 2]);
    await passes(500);
    await fails();
    expect(attempts()).toEqual([1, 2]);
    await passes(2 * PAUSE_MS + 1);
    expect(attempts()).toEqual([1, 2, 3]);
  });

  it('takes no retry for lost before its time', async () => {
    const { attempts, fails, passes, engine } = await started({ remoteRedispatchMs: 60_000 });
    await fails();
    await passes(PAUSE_MS + 1);
    expect(attempts()).toEqual([1, 2]);
    await passes(500);
    await engine.resume('run');
    expect(attempts()).toEqual([1, 2]);
    await passes(60_001);
    expect(attempts()).toEqual([1, 2, 3]);
  });
});
