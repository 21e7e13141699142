import { describe, expect, it, vi } from 'vitest';
import { runTask, type TaskRun } from '../../../src/step/run-task.ts';
import type { Sealing } from '../../../src/step/sealing.ts';
import { type StepContext, stepContext } from '../../../src/step/step-context.ts';
import { taskFor } from '../../support/sqs-records.ts';

/** A step that can be ended, running. */
function started(step: (context: StepContext) => unknown) {
  const onLate = vi.fn();
  const sealing: Sealing = { seal: undefined, onLate };
  const task = taskFor();
  const delivery = { task, signal: new AbortController().signal, receiveCount: 1, remainingTimeMs: () => 1_000 };
  const run: TaskRun<StepContext> = { sealing, contextOf: (logger) => stepContext(logger, delivery) };
  const result = runTask(task, { steps: new Map([['step', { run: (_input, context) => step(context) }]]) }, run);
  return { result, sealing, onLate, run };
}

describe('a step whose time can end', () => {
  it('gives what it gives while there is time', async () => {
    const { result, onLate } = started(async () => 'done');
    expect(await result).toMatchObject({ status: 'completed', output: 'done' });
    expect(onLate).not.toHaveBeenCalled();
  });

  it('fails as lambda_timeout with what it has logged, and whatever it does after that is told once', async () => {
    const step = Promise.withResolvers<string>();
    let context: StepContext | undefined;
    const { result, sealing, onLate, run } = started((given) => {
      context = given;
      given.info('before');
      return step.promise;
    });
    sealing.seal?.();
    expect(await result).toMatchObject({
      status: 'failed',
      error: { code: 'lambda_timeout', retryable: true },
      events: [{ message: 'before' }],
    });
    expect(run.thrown).toMatchObject({ code: 'lambda_timeout' });
    expect(onLate).not.toHaveBeenCalled();
    context?.info('after');
    step.reject(new Error('late'));
    await expect(step.promise).rejects.toThrow('late');
    expect(onLate).toHaveBeenCalledTimes(1);
    expect((await result).events).toHaveLength(1);
  });

  it('fails as itself, readably, where its thenable throws', async () => {
    const broken = Object.fromEntries([
      [
        'then',
        () => {
          throw Object.assign(new Error('no'), { code: 'broken' });
        },
      ],
    ]);
    const { result, run } = started(() => broken);
    expect(await result).toMatchObject({ status: 'failed', error: { message: 'no', code: 'broken' } });
    expect(run.thrown).toMatchObject({ code: 'broken' });
  });

  it('is not sealed where it gives its output at once', async () => {
    const { result, sealing } = started(() => 'at once');
    expect(sealing.seal).toBeUndefined();
    expect(await result).toMatchObject({ output: 'at once' });
  });
});
