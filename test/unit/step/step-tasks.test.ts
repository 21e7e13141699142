import { currentStep } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it, vi } from 'vitest';
import type { StepContext } from '../../../src/step/step-context.ts';
import { runStep, type ServedStep } from '../../../src/step/step-tasks.ts';
import { inFlightTask } from '../../support/in-flight-tasks.ts';
import { taskFor } from '../../support/sqs-records.ts';

const HOST = { remainingTimeMs: () => 1_000, region: 'eu-west-1' };

/** One step at work, as a host has it. */
function atWork(run?: ServedStep<StepContext & typeof HOST>['run'], stoppable = false) {
  const task = taskFor({ input: 'in' });
  const { inFlight, logger } = inFlightTask(stoppable);
  inFlight.begin();
  const result = runStep(task, inFlight, { steps: new Map(run === undefined ? [] : [['step', { run }]]) }, (context) => {
    Object.assign(context, HOST);
  });
  const stop = () => inFlight.stop(new Error('time is up'));
  return { task, inFlight, result, logger, stop };
}

describe('a step', () => {
  it('gets the engine’s logger with what there is to know of the delivery, and with what its host adds', async () => {
    const found: StepContext[] = [];
    const { task, inFlight, result } = atWork((input, step) => {
      found.push(step);
      expect(currentStep()).toBe(step);
      return input;
    });
    expect(await result).toEqual({
      runId: 'run',
      seq: 0,
      stepId: 'run:0',
      status: 'completed',
      output: 'in',
      startedAt: expect.any(Number),
    });
    expect(found[0]).toMatchObject({ task, receiveCount: 3, signal: inFlight.signal, ...HOST });
    expect(currentStep()).toBeUndefined();
  });

  it('leaves what it threw as a readable error, with the thrown thing as its cause', async () => {
    const original = Object.assign(new RangeError('far'), { code: 'far' });
    const { inFlight, result } = atWork(() => Promise.reject(original));
    await result;
    expect(inFlight.thrown).toMatchObject({ name: 'RangeError', message: 'far', code: 'far', cause: original });
  });

  it('fails as no_handler where the worker serves none', async () => {
    expect((await atWork().result).error?.message).toBe('no handler for step "step": this worker serves no step');
  });
});

describe('a step that can be stopped', () => {
  it('gives what it gives while there is time', async () => {
    const { result, logger } = atWork(async () => 'done', true);
    expect(await result).toMatchObject({ status: 'completed', output: 'done' });
    expect(logger.lines).toEqual([]);
  });

  it('fails as lambda_timeout with what it has logged, and what it does after that is told once', async () => {
    const step = Promise.withResolvers<string>();
    let context: StepContext | undefined;
    const { inFlight, result, logger, stop } = atWork((_input, given) => {
      context = given;
      given.info('before');
      given.signal.addEventListener('abort', () => given.info('aborted'));
      return step.promise;
    }, true);
    stop();
    expect(await result).toMatchObject({
      status: 'failed',
      error: { code: 'lambda_timeout', retryable: true },
      events: [{ message: 'before' }, { message: 'aborted' }],
    });
    expect(inFlight.thrown).toMatchObject({ code: 'lambda_timeout' });
    expect(logger.lines).toEqual([]);
    context?.info('after');
    step.reject(new Error('late'));
    await expect(step.promise).rejects.toThrow('late');
    expect(logger.lines.map(({ message }) => message)).toEqual(['a step went on after its time; what it did since is dropped']);
    expect((await result).events).toHaveLength(2);
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
    const { inFlight, result } = atWork(() => broken, true);
    expect(await result).toMatchObject({ status: 'failed', error: { message: 'no', code: 'broken' } });
    expect(inFlight.thrown).toMatchObject({ code: 'broken' });
  });

  it('has its thenable asked once, which may do its work for each time', async () => {
    const then = vi.fn((resolve: (value: string) => void) => resolve('row'));
    const { result } = atWork(() => Object.fromEntries([['then', then]]), true);
    expect(await result).toMatchObject({ output: 'row' });
    expect(then).toHaveBeenCalledTimes(1);
  });

  it('has nothing to stop where it gives its output at once', async () => {
    const { inFlight, result } = atWork(() => 'at once', true);
    expect(inFlight.seal).toBeUndefined();
    expect(await result).toMatchObject({ output: 'at once' });
  });
});
