import { Suspend } from '@dudousxd/durable-worker';
import { isWorkflowControlFlowSignal } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it, vi } from 'vitest';
import { commandsOf, conformance } from './cases.ts';

const harness = conformance();

describe('control-flow-signal', () => {
  it('knows the signal that suspends a run, so that a catch can let it pass', async () => {
    const caught: boolean[] = [];
    const ended = await harness().run(async (ctx) => {
      try {
        return await ctx.step('test.double', 1);
      } catch (error) {
        caught.push(isWorkflowControlFlowSignal(error));
        throw error;
      }
    });
    expect(ended).toMatchObject({ status: 'completed', output: 2 });
    expect(caught).toEqual([true]);
  });

  it('knows a subclass of it', async () => {
    class CustomSuspend extends Suspend {}
    const ended = await harness().run(async (ctx) => {
      try {
        return await ctx.step('test.double', 1);
      } catch (error) {
        throw isWorkflowControlFlowSignal(error) ? new CustomSuspend() : error;
      }
    });
    expect(ended).toMatchObject({ status: 'completed', output: 2 });
  });

  it('tells the failure of a step apart from it', async () => {
    const ended = await harness().run(async (ctx) => {
      try {
        return await ctx.step('test.decline', null);
      } catch (error) {
        if (isWorkflowControlFlowSignal(error)) throw error;
        return 'compensated';
      }
    });
    expect(ended).toMatchObject({ status: 'completed', output: 'compensated' });
  });
});

describe('workflow-worker: decisions', () => {
  it('completes with what the workflow returns', async () => {
    const ended = await harness().run(async () => ({ ok: true }));
    expect(ended).toMatchObject({ status: 'completed', output: { ok: true } });
    expect(ended.decisions).toMatchObject([{ status: 'completed', commands: [] }]);
  });

  it('fails with the failure of a local step, and records what was done', async () => {
    const ended = await harness().run(async (ctx) => {
      await ctx.sideEffect(() => {
        throw new Error('kaboom');
      });
    });
    expect(ended).toMatchObject({ status: 'failed', error: { message: 'kaboom' } });
    expect(commandsOf(ended)).toMatchObject([{ kind: 'recordStep' }]);
  });

  it('fails with the failure of a step that nobody catches', async () => {
    const ended = await harness().run((ctx) => ctx.step('test.decline', null));
    expect(ended).toMatchObject({ status: 'failed', error: { message: 'boom', code: 'card_declined' } });
  });

  it('runs a local step and a dispatched one over two turns', async () => {
    const ended = await harness().run(async (ctx, input) => {
      const base = await ctx.sideEffect(() => Number(input) + 1);
      return ctx.step('test.double', base);
    }, 4);
    expect(ended).toMatchObject({ status: 'completed', output: 10 });
    expect(ended.decisions.map(({ status, commands }) => [status, commands.map(({ kind }) => kind)])).toEqual([
      ['continue', ['recordStep', 'call']],
      ['completed', []],
    ]);
  });

  it('takes no further turn of a run that was cancelled', async () => {
    const { cloud, start } = harness();
    const runId = await start(async (ctx) => {
      await ctx.waitForSignal('never-sent');
      return ctx.step('test.double', 1);
    });
    await vi.waitFor(() => expect(cloud.decisions.some((decision) => decision.runId === runId)).toBe(true));
    await cloud.engine.cancel(runId);
    await cloud.engine.signal('never-sent', 'late');
    const ended = await cloud.ended(runId);
    expect(ended.status).toBe('cancelled');
    expect(ended.decisions).toHaveLength(1);
  });
});

describe('workflow-context: determinism', () => {
  it.each([
    ['another kind of call', 'sleep', 'call/"test.double"', 'timer/"sleep:0"'],
    ['another name', 'step', 'call/"test.double"', 'call/"test.decline"'],
  ])('fails a run whose history has %s: position, called and recorded', async (_what, first, called, recorded) => {
    let deployed = 1;
    const ended = await harness().run(async (ctx) => {
      if (deployed === 1) {
        deployed = 2;
        await (first === 'sleep' ? ctx.sleep(1) : ctx.step('test.decline', null));
      }
      return ctx.step('test.double', 1);
    });
    expect(ended).toMatchObject({ status: 'failed', error: { code: 'nondeterminism' } });
    for (const part of ['#0', called, recorded]) expect(ended.error?.message).toContain(part);
  });
});
