import { InMemoryStateStore, type WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterEach, describe, expect, it } from 'vitest';
import { EngineFleet } from '../../support/engine-fleet.ts';

const fleets: EngineFleet[] = [];
afterEach(() => {
  for (const fleet of fleets.splice(0)) fleet.close();
});

async function afterStart(workflow: Parameters<WorkflowEngine['register']>[2], lost = false) {
  const store = new InMemoryStateStore();
  const engine = { remoteRedispatchMs: 60_000 };
  const work = () => (lost ? undefined : {});
  const fleet = new EngineFleet({ store, register: (made) => made.register('w', '1', workflow), work, engine });
  fleets.push(fleet);
  await fleet.starter().start('w', {}, 'run');
  await fleet.tick();
  return { store, fleet };
}

describe('a wake-up', () => {
  it.each([
    ['a sleep of 10 s', 10, (ctx) => ctx.sleep(10_000)],
    ['a sleep of 15 min', 900, (ctx) => ctx.sleep('15m')],
    ['the deadline of a signal', 60, (ctx) => ctx.waitForSignal('never', { timeoutMs: 60_000 })],
  ] satisfies [string, number, Parameters<WorkflowEngine['register']>[2]][])('leaves for %s', async (_, delaySeconds, workflow) => {
    const { fleet } = await afterStart(workflow);
    expect(fleet.wakeUps).toEqual([delaySeconds]);
  });

  it('leaves once, however many turns find the same wait', async () => {
    const { store, fleet } = await afterStart((ctx) => Promise.all([ctx.sleep(60_000), ...[1, 2, 3].map((n) => ctx.step('a', n))]));
    await fleet.until(async () => (await store.listCheckpoints('run')).filter(({ status }) => status === 'completed').length === 4);
    await fleet.tick();
    expect(fleet.wakeUps).toEqual([60]);
  });

  it.each([
    ['a sleep of more than 15 min', false, (ctx) => ctx.sleep(901_000)],
    ['a signal that may come whenever it likes', false, (ctx) => ctx.waitForSignal('never')],
    ['a task that is out', true, (ctx) => ctx.step('a', 1)],
  ] satisfies [string, boolean, Parameters<WorkflowEngine['register']>[2]][])('stays unsent for %s', async (_, lost, workflow) => {
    const { fleet } = await afterStart(workflow, lost);
    await fleet.tick();
    expect(fleet.wakeUps).toEqual([]);
  });

  it('stays unsent for a sleep of two days, which a tick ends when it is over', async () => {
    const { store, fleet } = await afterStart((ctx) => ctx.sleep('2d'));
    await fleet.tick();
    expect((await store.getRun('run'))?.status).toBe('suspended');
    expect(fleet.wakeUps).toEqual([]);
    // Two days pass.
    const wakeAt = Date.now() - 1;
    for (const sleep of await store.listCheckpoints('run')) await store.saveCheckpoint({ ...sleep, wakeAt });
    await store.updateRun('run', { wakeAt });
    await fleet.tick();
    await fleet.ended(['run']);
    expect((await store.getRun('run'))?.status).toBe('completed');
  });

  it('goes back where it comes too early', async () => {
    const { fleet } = await afterStart((ctx) => ctx.sleep('1h'));
    fleet.put('durable-wake-ups', { kind: 'wake-up', runId: 'run', wakeAt: Date.now() + 30_000 });
    await fleet.until(async () => fleet.invocations.redelivered === 1);
    expect(fleet.delays).toEqual([30]);
  });

  it.each([
    ['one of a run that is not there', { kind: 'wake-up', runId: 'other', wakeAt: 1 }, []],
    ['one that cannot be read', { runId: 'run' }, ['message is not a WakeUp; it is dropped']],
  ])('ends without a turn: %s', async (_, body, lines) => {
    const { fleet } = await afterStart((ctx) => ctx.waitForSignal('never'));
    const { ended } = fleet.invocations;
    fleet.put('durable-wake-ups', body);
    await fleet.until(async () => fleet.invocations.ended > ended);
    expect(fleet.invocations.redelivered).toBe(0);
    expect(fleet.logger.lines.map(({ message }) => message)).toEqual(lines);
  });
});
