import { InMemoryStateStore, type RunStatus, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it } from 'vitest';
import { tellChildEnds } from '../../../../src/transport/engine/child-ends.ts';

/** A parent that waits for a child, which has ended so long ago without telling it. */
async function untold(status: RunStatus, agoMs: number) {
  const store = new InMemoryStateStore();
  const engine = new WorkflowEngine({ store });
  engine.register('parent', '1', (ctx) => ctx.child('child', {}, 'child'));
  engine.register('child', '1', (ctx) => ctx.waitForSignal('never'));
  await engine.start('parent', {}, 'parent');
  await engine.waitForRun('child');
  const error = status === 'completed' ? undefined : { message: 'execution timeout' };
  await store.updateRun('child', {
    status,
    output: status === 'completed' ? 'done' : undefined,
    error,
    updatedAt: new Date(Date.now() - agoMs),
  });
  await tellChildEnds(engine, store);
  await engine.drain();
  return store.getRun('parent');
}

describe("a child's end of which its parent was not told", () => {
  it('completes the parent', async () => {
    expect(await untold('completed', 11_000)).toMatchObject({ status: 'completed', output: 'done' });
  });

  it.each(['failed', 'cancelled', 'dead'] as const)('fails the parent: %s', async (status) => {
    const parent = await untold(status, 11_000);
    expect(parent).toMatchObject({ status: 'failed' });
    expect(parent?.error?.message).toContain('execution timeout');
  });

  it('stays with the child that has ended a moment ago', async () => {
    expect(await untold('completed', 5_000)).toMatchObject({ status: 'suspended' });
  });
});
