import { currentStep } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it } from 'vitest';
import { runTask, type ServedStep, type TaskRun } from '../../../src/step/run-task.ts';
import { type StepContext, stepContext } from '../../../src/step/step-context.ts';
import { taskFor } from '../../support/sqs-records.ts';

const delivery = {
  task: taskFor({ input: 'in' }),
  signal: new AbortController().signal,
  receiveCount: 1,
  remainingTimeMs: () => Number.POSITIVE_INFINITY,
};
const delivered = (): TaskRun<StepContext> => ({ contextOf: (logger) => stepContext(logger, delivery) });
const serving = (run: ServedStep['run']) => ({ steps: new Map([['step', { run }]]) });

describe('runTask', () => {
  it('serves a worker of any kind: the context is the engine’s logger with this delivery', async () => {
    const found: StepContext[] = [];
    const result = await runTask(
      delivery.task,
      serving((input, step) => {
        found.push(step);
        return input;
      }),
      delivered(),
    );
    expect(result).toEqual({
      runId: 'run',
      seq: 0,
      stepId: 'run:0',
      status: 'completed',
      output: 'in',
      startedAt: expect.any(Number),
    });
    expect(found[0]).toMatchObject(delivery);
    expect(currentStep()).toBeUndefined();
  });

  it('gives what was thrown as a readable error, with the thrown thing as its cause', async () => {
    const original = Object.assign(new RangeError('far'), { code: 'far' });
    const run = delivered();
    await runTask(
      taskFor(),
      serving(() => Promise.reject(original)),
      run,
    );
    expect(run.thrown).toMatchObject({ name: 'RangeError', message: 'far', code: 'far', cause: original });
  });

  it('names no step where a worker serves none', async () => {
    const result = await runTask(taskFor(), { steps: new Map() }, delivered());
    expect(result.error?.message).toBe('no handler for step "step": this worker serves no step');
  });
});
