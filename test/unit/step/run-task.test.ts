import { currentStep } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it } from 'vitest';
import { runTask, type ServedStep, type TaskRun } from '../../../src/step/run-task.ts';
import type { StepContext } from '../../../src/step/step-context.ts';
import { taskFor } from '../../support/sqs-records.ts';

const delivery = { signal: new AbortController().signal, receiveCount: 1, remainingTimeMs: () => Number.POSITIVE_INFINITY };
const serving = (run: ServedStep['run']) => ({ steps: new Map([['step', { run }]]) });

describe('runTask', () => {
  it('serves a worker of any kind: the context is the engine’s logger with this delivery', async () => {
    const found: StepContext[] = [];
    const task = taskFor({ input: 'in' });
    const result = await runTask<StepContext>(
      task,
      delivery,
      serving((input, step) => {
        found.push(step);
        return input;
      }),
    );
    expect(result).toEqual({
      runId: 'run',
      seq: 0,
      stepId: 'run:0',
      status: 'completed',
      output: 'in',
      startedAt: expect.any(Number),
    });
    expect(found[0]).toMatchObject({ task, ...delivery });
    expect(currentStep()).toBeUndefined();
  });

  it('gives what was thrown as a readable error, with the thrown thing as its cause', async () => {
    const original = Object.assign(new RangeError('far'), { code: 'far' });
    const run: TaskRun = {};
    await runTask<StepContext>(
      taskFor(),
      delivery,
      serving(() => Promise.reject(original)),
      run,
    );
    expect(run.thrown).toMatchObject({ name: 'RangeError', message: 'far', code: 'far', cause: original });
  });

  it('names no step where a worker serves none', async () => {
    const result = await runTask<StepContext>(taskFor(), delivery, { steps: new Map() });
    expect(result.error?.message).toBe('no handler for step "step": this worker serves no step');
  });
});
