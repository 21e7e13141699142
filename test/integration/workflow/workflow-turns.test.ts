import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WorkflowContext } from '../../../src/workflow/index.ts';
import { type WorkflowCloud, workflowCloud } from '../../support/workflow-cloud.ts';

const workflows = {
  chain: async (ctx: WorkflowContext, input: number) => {
    const first = await ctx.step<number>('turns.double', input);
    return ctx.step<number>('turns.double', first);
  },
  fan: async (ctx: WorkflowContext, inputs: readonly number[]) =>
    Promise.all(inputs.map((input) => ctx.step<number>('turns.double', input))),
  careless: async (ctx: WorkflowContext) => {
    await ctx.step('turns.double', 1).catch(() => undefined);
    return 'done';
  },
};

// What a workflow can do, call by call, is in conformance/.
describe('workflows whose turns run on Lambda', () => {
  let cloud: WorkflowCloud;

  beforeAll(async () => {
    cloud = await workflowCloud({ workflows, steps: { 'turns.double': (input) => Number(input) * 2 } });
  });

  afterAll(() => cloud.close());

  it('run a fan-out and give its outputs in order', async () => {
    expect(await cloud.run('fan', [1, 2, 3, 4, 5])).toMatchObject({ status: 'completed', output: [2, 4, 6, 8, 10] });
  });

  it('fail where they go on after the signal that suspends them', async () => {
    expect(await cloud.run('careless', null)).toMatchObject({ status: 'failed', error: { code: 'suspension_caught' } });
  });

  it('fail where no worker serves them', async () => {
    cloud.engine.remote('unknown', { group: 'turns' });
    expect(await cloud.run('unknown', null)).toMatchObject({ status: 'failed', error: { code: 'no_workflow' } });
  });

  it('complete, 100 chains at once', async () => {
    const runs = Array.from({ length: 100 }, (_, index) => cloud.run('chain', index, `many-${index}`));
    expect((await Promise.all(runs)).map(({ output }) => output)).toEqual(Array.from({ length: 100 }, (_, index) => index * 4));
  });
});
