import type { WorkflowCtx } from '@dudousxd/nestjs-durable-core';
import { expect, it, vi } from 'vitest';
import { workflowCloud } from '../../support/workflow-cloud.ts';

const HOUR = 3_600_000;

it('a sleep beside steps ends when it was to end, however many turns come meanwhile', async (test) => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let now = Date.now();
  const startedAt = now;
  const cloud = await workflowCloud({
    workflows: {
      reminder: async (ctx: WorkflowCtx) => {
        await Promise.all([ctx.sleep('1h'), ctx.step('test.wait', 0), ctx.step('test.wait', 1)]);
        return 'rested';
      },
    },
    steps: { 'test.wait': (gate) => gates[Number(gate)]?.promise },
    clock: () => now,
  });
  test.onTestFinished(() => cloud.close());
  const wakesAt = async () => (await cloud.engine.getRun('r1'))?.wakeAt;

  await cloud.engine.start('reminder', null, 'r1');
  await vi.waitFor(async () => expect(await wakesAt()).toBe(startedAt + HOUR), { timeout: 10_000 });
  for (const [index, gate] of gates.entries()) {
    now += HOUR / 4;
    gate.resolve();
    await vi.waitFor(() => expect(cloud.decisions).toHaveLength(index + 2), { timeout: 10_000 });
    await vi.waitFor(async () => expect(await wakesAt()).toBe(startedAt + HOUR), { timeout: 10_000 });
  }
  now = startedAt + HOUR;
  expect(await cloud.ended('r1')).toMatchObject({ status: 'completed', output: 'rested' });
});
