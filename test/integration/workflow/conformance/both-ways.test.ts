import type { WorkflowCtx } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it } from 'vitest';
import { runInProcess, type Traced } from '../../../support/workflow-cloud.ts';
import { conformance, STEPS } from './cases.ts';

const harness = conformance();

/** Local steps and dispatched ones. */
const mixed = async (ctx: WorkflowCtx, input: unknown) => {
  const doubled = await ctx.sideEffect(() => Number(input) * 2);
  const again = await ctx.step<number>('test.double', doubled);
  return { doubled, again };
};

const sleeping = async (ctx: WorkflowCtx) => {
  const a = await ctx.sideEffect(() => 1);
  const b = await ctx.sideEffect(() => a + 1);
  await ctx.sleep(5);
  const c = await ctx.sideEffect(() => b + 1);
  return { a, b, c };
};

const fanning = async (ctx: WorkflowCtx) => Promise.all([1, 2, 3].map((input) => ctx.step<number>('test.double', input)));

const compensating = async (ctx: WorkflowCtx) => {
  await ctx.step('test.double', 1);
  try {
    await ctx.step('test.decline', null);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.includes('boom')) throw error;
    return ctx.step('test.double', 2);
  }
};

/** The engine itself names a sleep "sleep" in process and "sleep:<position>" for a worker. */
const positionOf = ({ name, ...rest }: Traced) => (rest.kind === 'sleep' ? rest : { name, ...rest });

describe('conformance, ctx-conformance: a workflow in process and on Lambda', () => {
  it.each([
    ['mixed', mixed, 5],
    ['sleeping', sleeping, null],
    ['fanning', fanning, null],
    ['compensating', compensating, null],
  ])('%s: has the same output, and the same positions, names and kinds', async (_name, body, input) => {
    const onLambda = await harness().run(body, input);
    const inProcess = await runInProcess(body, input, STEPS);
    expect(onLambda).toMatchObject({ status: 'completed', output: inProcess.output });
    expect(inProcess.status).toBe('completed');
    expect(onLambda.trace.map(positionOf)).toEqual(inProcess.trace.map(positionOf));
    expect(onLambda.trace.length).toBeGreaterThan(1);
  });

  it('every member of the ctx of an engine is a member of ours', async () => {
    const surface = async (ctx: WorkflowCtx) => Object.keys(ctx).sort();
    const { output } = await runInProcess(surface, null, STEPS);
    const members = Array.isArray(output) ? output.map(String) : [];
    expect(members).toContain('upsertSearchAttributes');
    const missing = await harness().run((ctx) =>
      members.filter((member) => typeof Reflect.get(ctx, member) !== (member === 'runId' ? 'string' : 'function')),
    );
    expect(missing).toMatchObject({ status: 'completed', output: [] });
  });

  it('an unbounded waitForSignal takes one position', async () => {
    const { cloud, run } = harness();
    await cloud.engine.signal('one-position', 'go');
    const ended = await run(async (ctx) => {
      await ctx.sideEffect(() => 'before');
      const payload = await ctx.waitForSignal<string>('one-position');
      return ctx.sideEffect(() => payload.toUpperCase());
    });
    expect(ended).toMatchObject({ status: 'completed', output: 'GO' });
    expect(ended.trace.map(({ seq, kind }) => [seq, kind])).toEqual([
      [0, 'local'],
      [1, 'signal'],
      [2, 'local'],
    ]);
  });
});
