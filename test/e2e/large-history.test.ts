import { expect, it } from 'vitest';
import type { PayloadPointer, PayloadSubject } from '../../src/payloads/payload-store.ts';
import type { WorkflowContext } from '../../src/workflow/index.ts';
import { MemoryPayloads } from '../support/memory-payloads.ts';
import { workflowCloud } from '../support/workflow-cloud.ts';

const STEPS = 2_000;
const NOTE = 'x'.repeat(100);

/** A store that keeps what may still be in flight: 2,000 turns would fill the memory. */
class RecentPayloads extends MemoryPayloads {
  largest = 0;

  override async put(body: string, about: PayloadSubject): Promise<PayloadPointer> {
    this.largest = Math.max(this.largest, body.length);
    const pointer = await super.put(body, about);
    const [oldest] = this.objects.keys();
    if (this.objects.size > 100 && oldest !== undefined) this.objects.delete(oldest);
    return pointer;
  }
}

const counting = async (ctx: WorkflowContext) => {
  let count = 0;
  for (let step = 0; step < STEPS; step += 1) ({ count } = await ctx.step<{ count: number }>('test.next', count));
  return count;
};

/*
 * 25 s of processor time, half of them for what grows with the square of the steps: the history is read from the store,
 * written as JSON, read again and replayed with each turn. The last turn has 358 kB, all turns together 358 MB.
 */
it('a workflow of 2,000 steps, one after another, runs to its end through the payload store', async (test) => {
  const payloadStore = new RecentPayloads();
  const cloud = await workflowCloud({
    workflows: { counting },
    steps: { 'test.next': (count) => ({ count: Number(count) + 1, note: NOTE }) },
    channel: { payloadStore },
  });
  test.onTestFinished(() => cloud.close());
  await cloud.engine.start('counting', null, 'large');
  const run = await cloud.engine.waitForRun('large', { until: 'terminal', timeoutMs: 500_000 });
  expect(run).toMatchObject({ status: 'completed', output: STEPS });
  // No turn for nothing.
  expect(cloud.decisions).toHaveLength(STEPS + 1);
  expect(payloadStore.largest).toBeGreaterThan(300_000);
});
