import { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it } from 'vitest';
import { EnginePasses } from '../../../../src/transport/engine/engine-passes.ts';
import { PassLease } from '../../../../src/transport/engine/pass-lease.ts';
import { capturingLogger } from '../../../support/capturing-logger.ts';
import { deferred, stateOf } from '../../../support/deferred.ts';
import { viewOf } from '../../../support/engine-instances.ts';
import { FakeTiming, settle } from '../../../support/fake-timing.ts';

const ORDER = ['runPending', 'recoverIncomplete', 'resumeDueTimers', 'sweepTimeouts'] as const;

/** The passes of an instance, and what was called of its engine. */
function instance(timing: FakeTiming, lease?: PassLease, work: () => Promise<void> = async () => undefined) {
  const calls: string[] = [];
  const call = (name: string) => async () => {
    calls.push(name);
    await work();
  };
  const engine = {
    runPending: call(ORDER[0]),
    recoverIncomplete: call(ORDER[1]),
    resumeDueTimers: call(ORDER[2]),
    sweepTimeouts: call(ORDER[3]),
  };
  const logger = capturingLogger();
  const told: string[] = [];
  const tellChildEnds = async () => void told.push('told');
  const passes = new EnginePasses({ engine, tellChildEnds, lease, logger, timing });
  return { passes, calls, told, logger };
}

describe('EnginePasses', () => {
  it('runs the four passes in the order of Nest, once a second, until it is stopped', async () => {
    const timing = new FakeTiming();
    const { passes, calls } = instance(timing);
    passes.start();
    await settle();
    expect(calls.splice(0)).toEqual(ORDER);
    await timing.advance(999);
    expect(calls).toEqual([]);
    await timing.advance(1);
    expect(calls.splice(0)).toEqual(ORDER);
    await passes.stop();
    await timing.advance(10_000);
    expect(calls).toEqual([]);
  });

  it("tells parents of their children's ends in every tenth pass", async () => {
    const timing = new FakeTiming();
    const { passes, told } = instance(timing);
    passes.start();
    await timing.advance(8_000);
    expect(told).toEqual([]);
    await timing.advance(1_000);
    expect(told).toEqual(['told']);
    await timing.advance(10_000);
    expect(told).toEqual(['told', 'told']);
    await passes.stop();
  });

  it('goes on after a failure, and tells of it once', async () => {
    const timing = new FakeTiming();
    let isDown = true;
    const { passes, calls, logger } = instance(timing, undefined, async () => {
      if (isDown) throw new Error('store is down');
    });
    passes.start();
    await timing.advance(2_000);
    expect(calls.splice(0)).toEqual(['runPending', 'runPending', 'runPending']);
    expect(logger.lines).toHaveLength(1);
    isDown = false;
    await timing.advance(1_000);
    expect(calls).toEqual(ORDER);
    isDown = true;
    await timing.advance(1_000);
    expect(logger.lines).toHaveLength(2);
    await passes.stop();
  });

  it('waits, when it is stopped, for the pass that is under way', async () => {
    const timing = new FakeTiming();
    const gate = deferred<void>();
    const { passes } = instance(timing, undefined, () => gate.promise);
    passes.start();
    await settle();
    const settled = passes.settled();
    expect(await stateOf(settled)).toBe('pending');
    gate.resolve();
    await settled;
    await passes.stop();
  });

  it('run on one instance of a store at a time; the next takes over where that is stopped', async () => {
    const timing = new FakeTiming();
    const store = new InMemoryStateStore();
    const [first, second] = [instance(timing, new PassLease(store, 'ns')), instance(timing, new PassLease(store, 'ns'))];
    first.passes.start();
    await settle();
    second.passes.start();
    await timing.advance(2_000);
    expect([first.calls.splice(0).length, second.calls.splice(0).length]).toEqual([12, 0]);
    await first.passes.stop();
    await timing.advance(1_000);
    expect([first.calls.length, second.calls.length]).toEqual([0, 4]);
    await second.passes.stop();
  });
});

describe('PassLease', () => {
  it('passes to another instance when the one that has it has died, and not before', async () => {
    const store = new InMemoryStateStore();
    const [dead, heir] = [new PassLease(store, undefined), new PassLease(store, undefined)];
    expect([await dead.hold(), await heir.hold()]).toEqual([true, false]);
    const run = await store.getRun('durable-sqs-lambda:passes');
    // At the latest after eight seconds, and one more until it is asked for.
    expect((run?.lockedUntil ?? 0) - Date.now()).toBeLessThanOrEqual(8_000);
    await store.renewRunLock('durable-sqs-lambda:passes', run?.lockedBy ?? '', Date.now() - 1);
    expect(await heir.hold()).toBe(true);
    expect(await dead.hold()).toBe(false);
  });

  it('exists once for each namespace, and no pass of the engine looks for it', async () => {
    const store = new InMemoryStateStore();
    expect(await new PassLease(store, 'one').hold()).toBe(true);
    expect(await new PassLease(store, 'two').hold()).toBe(true);
    expect(await store.listPendingRuns(10)).toEqual([]);
    expect(await store.listIncompleteRuns()).toEqual([]);
    expect(await store.listDueTimers(Number.MAX_SAFE_INTEGER)).toEqual([]);
  });

  it('belongs to one of two that make its run at the same time', async () => {
    const store = new InMemoryStateStore();
    const unique = viewOf(store, {
      async createRun(run) {
        if ((await store.getRun(run.id)) !== null) throw new Error('duplicate key');
        return store.createRun(run);
      },
    });
    const held = await Promise.all([new PassLease(unique, undefined).hold(), new PassLease(unique, undefined).hold()]);
    expect(held.filter(Boolean)).toHaveLength(1);
  });
});
