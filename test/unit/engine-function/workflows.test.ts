import { FatalError, SignalTimeoutError, type WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterEach, describe, expect, it } from 'vitest';
import type { RemoteTask } from '../../../src/wire/remote-task.ts';
import type { StepResult } from '../../../src/wire/step-result.ts';
import { EngineFleet, type FleetOptions } from '../../support/engine-fleet.ts';
import { slowStore } from '../../support/slow-store.ts';

const fleets: EngineFleet[] = [];
afterEach(() => {
  for (const fleet of fleets.splice(0)) fleet.close();
});

function register(engine: WorkflowEngine): void {
  engine.register('none', '1', async () => 'done');
  engine.register('chain', '1', async (ctx) => [await ctx.step('a', 1), await ctx.step('b', 2), await ctx.step('c', 3)]);
  engine.register('fan-out', '1', (ctx) => Promise.all(Array.from({ length: 100 }, (_, n) => ctx.step('a', n))));
  engine.register('retry', '1', (ctx) => ctx.step('flaky', 7, { retries: 3, backoffMs: 100 }));
  engine.register('sleep', '1', async (ctx) => {
    await ctx.step('a', 1);
    await ctx.sleep(300);
    return ctx.step('b', 2);
  });
  engine.register('signal', '1', (ctx) => ctx.waitForSignal(`go:${ctx.runId}`));
  engine.register('local', '1', async (ctx) => {
    const first = await ctx.localStep('slow', () => new Promise((resolve) => setTimeout(() => resolve('local'), 60)));
    return [first, await ctx.step('a', 1)];
  });
  engine.register('child', '1', async (ctx, input) => {
    await ctx.sleep(50);
    return ctx.step('a', input);
  });
  engine.register('parent', '1', (ctx) => Promise.all([ctx.child('child', 1), ctx.child('none', 2)]));
  engine.register('children', '1', (ctx) => ctx.all('chain', [1, 2, 3]));
  engine.register('again', '1', async (ctx, input) => {
    const { left } = input as { left: number };
    await ctx.step('a', left);
    return left === 0 ? 'last' : ctx.continueAsNew({ left: left - 1 });
  });
  engine.register('undone', '1', async (ctx) => {
    await ctx.step('a', 1, { compensate: 'undo-a' });
    await ctx.step('b', 2, { compensate: 'undo-b' });
    throw new FatalError('no');
  });
  engine.register('long', '1', async (ctx) => {
    await ctx.step('a', 1, { compensate: 'undo-a' });
    await ctx.sleep('2h');
  });
  engine.register('one at a time', '1', (ctx) => ctx.step('a', 1), { singleton: { key: () => 'all' } });
  engine.register('timed', '1', (ctx) => ctx.step('a', 1, { timeoutMs: 1_000 }));
  engine.register('told', '1', async (ctx, input) => {
    const { reply } = input as { reply: string };
    const output = await ctx.step('slow', 1);
    await ctx.localStep('tell', () => engine.signal(reply, output));
  });
  engine.register('durable time-out', '1', async (ctx) => {
    const reply = `reply:${ctx.runId}`;
    await ctx.startChild('told', { reply });
    try {
      return await ctx.waitForSignal(reply, { timeoutMs: 400 });
    } catch (error) {
      if (error instanceof SignalTimeoutError) return 'too late';
      throw error;
    }
  });
}

function work({ name, attempt }: RemoteTask): Partial<StepResult> {
  if (name === 'flaky' && (attempt ?? 1) < 3) return { status: 'failed', output: undefined, error: { message: 'busy', retryable: true } };
  return {};
}

function fleetOf(options: Partial<FleetOptions> = {}) {
  const store = options.store ?? slowStore(7);
  const fleet = new EngineFleet({ store, register, work, ...options });
  fleets.push(fleet);
  const start = async (workflow: string, input: unknown = {}, runId = workflow) => {
    await fleet.starter().start(workflow, input, runId);
    return runId;
  };
  return { store, fleet, start };
}

describe('an engine function', () => {
  it.each([
    ['none', 'done'],
    ['chain', [1, 2, 3]],
    ['fan-out', Array.from({ length: 100 }, (_, n) => n)],
    ['retry', 7],
    ['sleep', 2],
    ['local', ['local', 1]],
    ['parent', [1, 'done']],
    [
      'children',
      [
        [1, 2, 3],
        [1, 2, 3],
        [1, 2, 3],
      ],
    ],
  ])('completes a run of "%s", which it began by one tick', async (workflow, output) => {
    const { store, fleet, start } = fleetOf({ environments: 3 });
    const runId = await start(workflow);
    await fleet.tick();
    await fleet.ended([runId]);
    expect(await store.getRun(runId)).toMatchObject({ status: 'completed', output });
    const twice = fleet.tasks.filter((task, at) => fleet.tasks.findIndex((other) => same(task, other)) !== at);
    expect(twice).toEqual([]);
    expect(fleet.logger.lines.filter(({ message }) => message !== 'run completed')).toEqual([]);
    expect(fleet.lateCalls).toEqual([]);
  });

  it('delivers a signal', async () => {
    const { store, fleet, start } = fleetOf();
    const runId = await start('signal');
    await fleet.tick();
    await fleet
      .starter()
      .signal(`go:${runId}`, 'went')
      .catch(() => undefined);
    await fleet.tick();
    await fleet.until(async () => (await store.getRun(runId))?.status === 'completed');
  });

  it('starts a run by message, once for two deliveries', async () => {
    const { store, fleet } = fleetOf();
    const start = { workflow: 'chain', input: {}, runId: 'started' };
    fleet.put('durable-start-run', start);
    fleet.put('durable-start-run', start);
    await fleet.until(async () => (await store.getRun('started'))?.status === 'completed');
    expect(fleet.tasks).toHaveLength(3);
  });

  it('begins runs and children at once where its runDispatcher would leave them to a poller', async () => {
    const { store, fleet } = fleetOf({ engine: { runDispatcher: { dispatch: () => undefined } } });
    fleet.put('durable-start-run', { workflow: 'parent', input: {}, runId: 'begun' });
    await fleet.ended(['begun']);
    expect(await store.getRun('begun')).toMatchObject({ status: 'completed', output: [1, 'done'] });
  });

  it('sends a step again whose task was lost, by its own remoteRedispatchMs', async () => {
    const sent = new Set<string>();
    const isFirst = (stepId: string) => !sent.has(stepId) && sent.add(stepId);
    const work = ({ stepId }: RemoteTask) => (isFirst(stepId) ? undefined : {});
    const { fleet, start } = fleetOf({ work, engine: { reconcileMs: 20 }, handler: { remoteRedispatchMs: 1_000 } });
    const runId = await start('chain');
    const ended = fleet.ended([runId]).then(() => true);
    while (!(await Promise.race([ended, fleet.tick()])));
    expect(fleet.tasks.map(({ name, attempt }) => `${name}${attempt}`)).toEqual(['a1', 'a2', 'b1', 'b2', 'c1', 'c2']);
  });

  it('goes on as a new run', async () => {
    const { store, fleet, start } = fleetOf();
    await start('again', { left: 2 });
    await fleet.tick();
    await fleet.until(async () => (await store.listRuns({ workflow: 'again', status: 'completed' })).length === 3);
    const outputs = (await store.listRuns({ workflow: 'again' })).map(({ output }) => output);
    expect(outputs).toContain('last');
  });

  it('compensates a run that fails', async () => {
    const { store, fleet, start } = fleetOf();
    const runId = await start('undone');
    await fleet.tick();
    await fleet.ended([runId]);
    expect(await store.getRun(runId)).toMatchObject({ status: 'failed' });
    expect(fleet.tasks.map(({ name }) => name)).toEqual(['a', 'b', 'undo-b', 'undo-a']);
  });

  it('compensates a run that is cancelled', async () => {
    const { store, fleet, start } = fleetOf();
    const runId = await start('long');
    await fleet.tick();
    await fleet.until(async () => ((await store.getRun(runId))?.wakeAt ?? 0) > Date.now() + 3_600_000);
    await fleet.starter().cancel(runId, { compensate: true });
    await fleet.until(async () => {
      await fleet.tick();
      return (await store.getRun(runId))?.status === 'cancelled';
    });
    expect(fleet.tasks.map(({ name }) => name)).toEqual(['a', 'undo-a']);
  });

  it('runs singletons one after the other', async () => {
    const { store, fleet, start } = fleetOf({ environments: 3 });
    const runIds = await Promise.all([1, 2, 3].map((n) => start('one at a time', {}, `single-${n}`)));
    await fleet.until(async () => {
      await fleet.tick();
      return (await store.listRuns({ workflow: 'one at a time', status: 'completed' })).length === runIds.length;
    });
    expect(fleet.tasks).toHaveLength(3);
  });

  it('fails a run whose step has a timeoutMs, and says what to use instead', async () => {
    const { store, fleet, start } = fleetOf();
    const runId = await start('timed');
    await fleet.tick();
    const run = await store.getRun(runId);
    expect(run?.status).toBe('failed');
    expect(run?.error?.message).toMatch(/timeoutMs.*awaits such a step in memory.*ctx\.waitForSignal\(token, \{ timeoutMs \}\)/);
    expect(fleet.tasks).toEqual([]);
  });

  it.each([
    ['in time', true, 1],
    ['too late', false, 'too late'],
  ])('runs a durable time-out: %s', async (_, answers, output) => {
    const { store, fleet, start } = fleetOf({ work: ({ name }) => (name === 'slow' && !answers ? undefined : {}) });
    const runId = await start('durable time-out');
    await fleet.tick();
    await fleet.ended([runId]);
    expect(await store.getRun(runId)).toMatchObject({ status: 'completed', output });
  });
});

function same(one: RemoteTask, other: RemoteTask): boolean {
  return one.stepId === other.stepId && one.attempt === other.attempt;
}
