import type { WorkflowCtx } from '@dudousxd/nestjs-durable-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type WorkflowCloud, workflowCloud } from '../../support/workflow-cloud.ts';

const RUNS = 500;

/** In process: two tasks and their results. On Lambda also three turns and their decisions. */
const PAIRS = [
  ['inProcess', 2],
  ['onLambda', 5],
] as const;

/** The page docs/guide/which-way.md has its figures from here. */
describe('SQS requests of runs of two steps', () => {
  const body = async (ctx: WorkflowCtx, input: unknown) => ctx.step('test.double', await ctx.step('test.double', input));
  let cloud: WorkflowCloud;

  beforeAll(async () => {
    // How messages share requests rests on how soon a server answers: the figures are those of the embedded one.
    cloud = await workflowCloud({ embedded: true, workflows: { onLambda: body }, steps: { 'test.double': (input) => Number(input) * 2 } });
    cloud.engine.register('inProcess', '1', body);
    // The queues are looked up once.
    await cloud.run('onLambda', 1, 'warm-1');
    await cloud.run('inProcess', 1, 'warm-2');
  });

  afterAll(() => cloud.close());

  it.each(PAIRS)('%s, one run: %i messages there and back, each sent by a request of its own', async (workflow, pairs) => {
    const before = cloud.requests()['SendMessageBatch'] ?? 0;
    await cloud.run(workflow, 1, `${workflow}-alone`);
    // Deletes come when they come, some of them together.
    expect((cloud.requests()['SendMessageBatch'] ?? 0) - before).toBe(pairs * 2);
  });

  it.each(PAIRS)('%s, 500 runs at once: less than a request for each of %i messages there and back', async (workflow, pairs) => {
    const before = total(cloud.requests());
    const ids = Array.from({ length: RUNS }, (_, index) => `${workflow}-${index}`);
    await Promise.all(ids.map((id) => cloud.engine.start(workflow, 1, id)));
    await Promise.all(ids.map((id) => cloud.engine.waitForRun(id, { until: 'terminal', timeoutMs: 50_000 })));
    const requestsPerRun = (total(cloud.requests()) - before) / RUNS;
    expect(requestsPerRun / pairs).toBeLessThan(1);
  });
});

/** Receives too, of mappings and engine, those that came back empty included. */
function total(requests: Readonly<Record<string, number>>): number {
  return Object.values(requests).reduce((sum, count) => sum + count, 0);
}
