import { InMemoryStateStore, type StepCheckpoint, type WorkflowCtx } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isLateUndo } from '../../../../src/transport/engine/late-undos.ts';
import { EngineInstance } from '../../../support/engine-instances.ts';
import { pass } from '../fake-sqs.ts';

const T0 = 1_000_000;

function step(seq: number, finishedAt: number, fields: Partial<StepCheckpoint> = {}): StepCheckpoint {
  const at = new Date(T0 + finishedAt);
  return {
    runId: 'run',
    seq,
    name: `step ${seq}`,
    kind: 'remote',
    stepId: `run:${seq}`,
    status: 'completed',
    attempts: 1,
    enqueuedAt: at,
    startedAt: at,
    finishedAt: at,
    ...fields,
  };
}

const declined = (seq: number, finishedAt: number, message = 'declined') => step(seq, finishedAt, { status: 'failed', error: { message } });
const run = { error: { message: 'the order failed: declined' } };

describe('isLateUndo', () => {
  it('says yes to a step that completed after another one had failed the run', () => {
    expect(isLateUndo({ seq: 1 }, run, [declined(0, 0), step(1, 50)])).toBe(true);
  });

  it('says yes where a step with a lower number failed later', () => {
    expect(isLateUndo({ seq: 2 }, run, [declined(0, 9_000), declined(1, 0), step(2, 50)])).toBe(true);
  });

  it('says yes to an undo, which the next one follows', () => {
    expect(isLateUndo({ seq: -1 }, run, [declined(0, 0), step(1, 50), step(-1, 90)])).toBe(true);
  });

  it.each([
    ['no step has failed: a dispatch was refused, or code of the workflow threw', run, [step(0, 0), step(1, 50)]],
    ['another failure failed the run: that of a local step, or of one awaited in memory', run, [declined(0, 0, 'busy'), step(1, 50)]],
    ['a local step failed it', run, [{ ...declined(0, 0), kind: 'local' as const }, step(1, 50)]],
    ['the step had completed before: the failing turn had seen it', run, [declined(0, 5_000), step(1, 50)]],
    ['the failure has no message', { error: { message: 'x' } }, [declined(0, 0, ''), step(1, 50)]],
    ['the step has not completed', run, [declined(0, 0), step(1, 50, { status: 'pending' })]],
    ['the run says nothing of its failure', {}, [declined(0, 0), step(1, 50)]],
  ])('says no where %s', (_what, failed, checkpoints) => {
    expect(isLateUndo({ seq: 1 }, failed, checkpoints)).toBe(false);
  });
});

describe('a failed run whose first step is delivered again', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: T0 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A step, and then what fails the run. */
  async function failed(fails: (ctx: WorkflowCtx) => Promise<unknown>, refusesSecond = false) {
    const instance = new EngineInstance(new InMemoryStateStore(), 'one');
    const turns = vi.fn();
    instance.engine.register('workflow', '1', async (ctx) => {
      turns();
      await ctx.step('first', 1);
      return fails(ctx);
    });
    instance.onDispatch = ({ seq }) => {
      if (seq === 1 && refusesSecond) throw new Error('too large');
    };
    await instance.engine.start('workflow', {}, 'run');
    await pass(100);
    const [first] = instance.tasks;
    if (first === undefined) throw new Error('expected a task');
    const answered = instance.answer(first);
    await pass(5_000);
    return { instance, first, answered, turns };
  }

  it.each<readonly [string, boolean, (ctx: WorkflowCtx) => Promise<unknown>]>([
    ['a step whose dispatch was refused', true, (ctx) => ctx.step('second', 2)],
    [
      'a local step',
      false,
      (ctx) =>
        ctx.localStep('second', async () => {
          throw new Error('no');
        }),
    ],
    ['the workflow itself', false, () => Promise.reject(new Error('no'))],
  ])('stays as it is: %s', async (_what, refusesSecond, fails) => {
    const run = await failed(fails, refusesSecond);
    await run.answered;
    expect(await run.instance.engine.getRun('run')).toMatchObject({ status: 'failed' });
    const [dispatches, turns] = [run.instance.tasks.length, run.turns.mock.calls.length];
    const again = run.instance.answer(run.first, {}, 2);
    await pass(5_000);
    await again;
    expect([run.instance.tasks.length, run.turns.mock.calls.length]).toEqual([dispatches, turns]);
    expect(await run.instance.engine.getRun('run')).toMatchObject({ status: 'failed' });
  });

  it('stays as it is: a step that was awaited in memory is not dispatched again', async () => {
    const run = await failed((ctx) => ctx.step('charge', 2, { timeoutMs: 60_000, retries: 0 }));
    const charge = run.instance.tasks.find(({ name }) => name === 'charge');
    if (charge === undefined) throw new Error('expected a task');
    const declining = run.instance.answer(charge, { status: 'failed', error: { message: 'declined', retryable: false } });
    await pass(5_000);
    await Promise.all([declining, run.answered]);
    expect(await run.instance.engine.getRun('run')).toMatchObject({ status: 'failed' });
    const dispatches = run.instance.tasks.length;
    const again = run.instance.answer(run.first, {}, 2);
    await pass(5_000);
    await again;
    expect(run.instance.tasks).toHaveLength(dispatches);
    expect(await run.instance.engine.getRun('run')).toMatchObject({ status: 'failed' });
  });
});
