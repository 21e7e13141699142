import { InMemoryStateStore, type StepCheckpoint, type WorkflowDecision } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it, vi } from 'vitest';
import { clockOf, withBegunSleeps } from '../../../../src/transport/engine/begun-sleeps.ts';

const DECISION: WorkflowDecision = {
  taskId: 'run:wf:1',
  runId: 'run',
  status: 'continue',
  commands: [
    { kind: 'sleep', seq: 0, ms: 5_000 },
    { kind: 'call', seq: 1, name: 'charge', group: '', input: 1 },
  ],
};

/** A store in which the sleep of the run has begun, or another thing has its position. */
async function storeWith(fields: Partial<StepCheckpoint>) {
  const store = new InMemoryStateStore();
  const at = new Date(0);
  const times = { enqueuedAt: at, startedAt: at, finishedAt: at };
  await store.saveCheckpoint({
    runId: 'run',
    seq: 0,
    stepId: 'run:0',
    name: 'sleep:0',
    kind: 'sleep',
    status: 'pending',
    attempts: 1,
    ...times,
    ...fields,
  });
  return store;
}

const msOf = ({ commands }: WorkflowDecision) => commands.flatMap((command) => (command.kind === 'sleep' ? [command.ms] : []));

describe('withBegunSleeps', () => {
  it('leaves a sleep that has not begun as it is, and every other command', async () => {
    expect(await withBegunSleeps(DECISION, new InMemoryStateStore(), () => 1_000)).toEqual(DECISION);
  });

  it.each([
    [1_000, 4_000],
    [9_000, 0],
  ])('cuts a sleep that ends at 5,000 at %i: %i ms are left', async (now, ms) => {
    const cut = await withBegunSleeps(DECISION, await storeWith({ wakeAt: 5_000 }), () => now);
    expect(msOf(cut)).toEqual([ms]);
    expect(cut.commands[1]).toEqual(DECISION.commands[1]);
  });

  it('leaves a sleep where the store has another thing at its position', async () => {
    expect(msOf(await withBegunSleeps(DECISION, await storeWith({ kind: 'remote', wakeAt: 5_000 }), () => 0))).toEqual([5_000]);
  });

  it('asks the store nothing for a decision without a sleep', async () => {
    const getCheckpoint = vi.fn();
    const awake = { ...DECISION, commands: DECISION.commands.slice(1) };
    expect(await withBegunSleeps(awake, { getCheckpoint }, Date.now)).toBe(awake);
    expect(getCheckpoint).not.toHaveBeenCalled();
  });
});

describe('clockOf', () => {
  it("gives the engine's clock, or the clock on the wall where there is none", () => {
    expect(clockOf({ clock: () => 7 })()).toBe(7);
    expect(clockOf({})).toBe(Date.now);
  });
});
