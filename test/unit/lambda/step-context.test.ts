import { currentStep } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type LambdaStepContext, type StepHandlerOptions, sqsStepHandler } from '../../../src/lambda/index.ts';
import { lambdaContext } from '../../../src/local/lambda-context.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { deferred } from '../../support/deferred.ts';
import { FakeQueues, invoke, resultOf, resultsOf } from '../../support/fake-queues.ts';
import { settle } from '../../support/fake-timing.ts';
import { contextOf, eventOf, eventOfInputs, recordOf, taskFor } from '../../support/sqs-records.ts';

const logger = capturingLogger();

/** What `look` makes of the second argument of a step. */
async function seen<T>(look: (step: LambdaStepContext) => T, event = eventOfInputs([null]), context = contextOf()): Promise<T[]> {
  const found: T[] = [];
  const handler = sqsStepHandler('step', (_input, step) => void found.push(look(step)), { logger });
  await resultsOf(handler, event, context);
  return found;
}

describe('a step’s context', () => {
  it('holds the task as the engine sent it, unknown fields too', async () => {
    const task = { ...taskFor({ attempt: 3, traceparent: '00-a-b-01', context: { tenant: 'acme' }, priority: 2 }), later: { field: 1 } };
    expect(await seen((step) => step.task, eventOf(recordOf(task)))).toEqual([task]);
  });

  it('holds SQS’s receive count, which is not the attempt', async () => {
    const event = eventOf(recordOf(taskFor({ attempt: 2 }), { receiveCount: 5 }));
    expect(await seen(({ receiveCount, task: { attempt } }) => ({ receiveCount, attempt }), event)).toEqual([
      { receiveCount: 5, attempt: 2 },
    ]);
  });

  it('holds the Lambda context and the time that is left', async () => {
    let left = 9_000;
    const context = contextOf({ getRemainingTimeInMillis: () => left });
    const look = (step: LambdaStepContext) => {
      const before = step.remainingTimeMs();
      left = 4_000;
      return { lambda: step.lambda, times: [before, step.remainingTimeMs()] };
    };
    const [found] = await seen(look, undefined, context);
    expect(found?.lambda).toBe(context);
    expect(found?.times).toEqual([9_000, 4_000]);
  });

  it('makes do with a context that is no Lambda’s', async () => {
    const found: unknown[] = [];
    const handler = sqsStepHandler('step', (_input, step) => void found.push(step.remainingTimeMs(), step.signal.aborted), { logger });
    await Reflect.apply(invoke, undefined, [handler, eventOfInputs([1]), new FakeQueues(), {}]);
    expect(found).toEqual([Number.POSITIVE_INFINITY, false]);
  });

  it.each([undefined, null, 'text'])('refuses %s as its context, and names runStep', async (context) => {
    const handler = sqsStepHandler('step', () => 1, { logger });
    await expect(Reflect.apply(handler, undefined, [eventOfInputs([1]), context])).rejects.toMatchObject({
      name: 'InvalidEventError',
      message: expect.stringMatching(
        /^expected the context of the invocation as second argument, got .+ runStep of durable-sqs-lambda\/local/,
      ),
    });
  });

  it.each([Number.NaN, undefined, '30000'])('remains without end when the time that is left is %s', async (left) => {
    const found: unknown[] = [];
    const handler = sqsStepHandler('step', (_input, step) => void found.push(step.remainingTimeMs()), { logger });
    const context = { ...contextOf(), getRemainingTimeInMillis: () => left };
    expect(await Reflect.apply(invoke, undefined, [handler, eventOfInputs([1]), new FakeQueues(), context])).toEqual({
      batchItemFailures: [],
    });
    expect(found).toEqual([Number.POSITIVE_INFINITY]);
  });

  it('equals the engine’s ambient step, also after awaits and across concurrent steps', async () => {
    const gate = deferred<void>();
    const matches: boolean[] = [];
    const contexts = new Set<unknown>();
    const handler = sqsStepHandler(
      'step',
      async (name: string, step) => {
        contexts.add(step);
        matches.push(Object.is(currentStep(), step));
        await gate.promise;
        await settle();
        matches.push(Object.is(currentStep(), step));
        currentStep()?.info(`ambient of ${name}`);
        return step.task.input;
      },
      { logger },
    );
    expect(currentStep()).toBeUndefined();
    const running = resultsOf(handler, eventOfInputs(['a', 'b']));
    await settle();
    gate.resolve();
    const results = await running;
    expect(matches).toEqual([true, true, true, true]);
    expect(contexts.size).toBe(2);
    expect(results.map(({ output, events }) => [output, events?.map(({ message }) => message)])).toEqual([
      ['a', ['ambient of a']],
      ['b', ['ambient of b']],
    ]);
  });
});

describe('what a step logs', () => {
  it('rides back on its result: lines, sub-steps and sub-processes', async () => {
    const handler = sqsStepHandler(
      'step',
      async (_input, step) => {
        step.debug('d');
        step.info('i', { n: 1 });
        step.warn('w');
        step.error('e');
        step.sub('part', 'skipped', 'not needed');
        await step.subProcess(
          'export',
          async (process) => {
            process.phase('uploading');
            step.info('inside');
          },
          { id: 'p-1', group: 'lane' },
        );
      },
      { logger },
    );
    const at = expect.any(Number);
    expect((await resultOf(handler, eventOfInputs([null]))).events).toEqual([
      { at, level: 'debug', message: 'd' },
      { at, level: 'info', message: 'i', data: { n: 1 } },
      { at, level: 'warn', message: 'w' },
      { at, level: 'error', message: 'e' },
      { at, level: 'warn', message: 'not needed', name: 'part', status: 'skipped' },
      { at, level: 'info', message: 'uploading', subId: 'p-1', name: 'export', group: 'lane', phase: 'uploading' },
      { at, level: 'info', message: 'inside', subId: 'p-1' },
      expect.objectContaining({ subId: 'p-1', name: 'export', group: 'lane', status: 'ok' }),
    ]);
  });

  it('rides back on a failed result too', async () => {
    const handler = sqsStepHandler(
      'step',
      (_input, step) => {
        step.info('before');
        throw new Error('no');
      },
      { logger },
    );
    expect(await resultOf(handler, eventOfInputs([null]))).toMatchObject({ status: 'failed', events: [{ message: 'before' }] });
  });
});

describe('step.signal', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A step that waits for its signal, or for `done`. */
  function waiting() {
    const done = deferred<string>();
    const reasons: unknown[] = [];
    const handler = sqsStepHandler(
      'step',
      (_input, { signal }) => {
        const aborted = deferred<string>();
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason);
          aborted.resolve('aborted');
        });
        return Promise.race([done.promise, aborted.promise]);
      },
      { logger },
    );
    return { handler, done, reasons };
  }

  it('aborts when the deadline is reached, for all steps of the invocation', async () => {
    const { handler, reasons } = waiting();
    const running = resultsOf(handler, eventOfInputs([1, 2]), lambdaContext({ functionName: 'f', timeoutMs: 30_000 }));
    await vi.advanceTimersByTimeAsync(28_999);
    expect(reasons).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await running;
    expect(reasons).toMatchObject([{ message: 'the Lambda deadline nears' }, { message: 'the Lambda deadline nears' }]);
  });

  it('leaves no timer behind, and never aborts after the invocation', async () => {
    const { handler, done, reasons } = waiting();
    const running = resultsOf(handler, eventOfInputs([1]));
    done.resolve('done');
    await running;
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(reasons).toEqual([]);
  });

  it('belongs to one step: a neighbour’s time-out neither runs the listeners of a step that has ended nor takes another’s onabort', async () => {
    const cleaned: unknown[] = [];
    const undone: unknown[] = [];
    const handler = sqsStepHandler(
      'step',
      async (ms: number, { signal }) => {
        signal.onabort = () => cleaned.push(ms);
        signal.addEventListener('abort', () => undone.push(ms));
        await new Promise((resolve) => setTimeout(resolve, ms));
      },
      { logger },
    );
    const context = lambdaContext({ functionName: 'f', timeoutMs: 1_000 });
    const running = resultsOf(handler, eventOfInputs([3_000, 3_001, 10]), context);
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await running).map(({ error }) => error?.code)).toEqual([undefined, 'lambda_timeout', 'lambda_timeout']);
    expect(cleaned).toEqual([3_000, 3_001]);
    expect(undone).toEqual([3_000, 3_001]);
  });

  it('can be listened to by many steps without a warning of leaks', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const { handler, done } = waiting();
    const running = resultsOf(handler, eventOfInputs(Array.from({ length: 10 }, () => 1)));
    done.resolve('done');
    await running;
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
  });
});

describe('around', () => {
  const run = (around: NonNullable<StepHandlerOptions['around']>, step: (input: unknown) => unknown = (input) => input) =>
    resultOf(
      sqsStepHandler('step', step, { around, logger }),
      eventOf(recordOf(taskFor({ input: 'in', traceparent: '00-a-b-01', context: { tenant: 'acme' } }))),
    );

  it('sees the step’s own context, trace and tenant included, and is its ambient step', async () => {
    const seenByAround: unknown[] = [];
    await run((step, next) => {
      seenByAround.push(step.task.traceparent, step.task.context, step === currentStep());
      step.info('from around');
      return next();
    });
    expect(seenByAround).toEqual(['00-a-b-01', { tenant: 'acme' }, true]);
  });

  it('wraps the step: before, after, and on failure', async () => {
    const order: string[] = [];
    const around: NonNullable<StepHandlerOptions['around']> = async (_step, next) => {
      order.push('begin');
      try {
        return await next();
      } finally {
        order.push('end');
      }
    };
    expect(await run(around, () => void order.push('step'))).toMatchObject({ status: 'completed' });
    expect(
      await run(around, () => {
        throw new Error('no');
      }),
    ).toMatchObject({ status: 'failed', error: { message: 'no' } });
    expect(order).toEqual(['begin', 'step', 'end', 'begin', 'end']);
  });

  it('can change the output, and recover from a failure', async () => {
    expect(await run(async (_step, next) => `<${await next()}>`)).toMatchObject({ output: '<in>' });
    expect(
      await run(
        (_step, next) => next().catch(() => 'instead'),
        () => {
          throw new Error('no');
        },
      ),
    ).toMatchObject({
      status: 'completed',
      output: 'instead',
    });
  });

  it('fails the step by throwing', async () => {
    const thrown = Object.assign(new Error('no span'), { code: 'tracing' });
    expect(
      await run(() => {
        throw thrown;
      }),
    ).toMatchObject({ status: 'failed', error: { message: 'no span', code: 'tracing' } });
  });

  it('gives the output itself by not calling next; the step does not run', async () => {
    let ran = false;
    expect(
      await run(
        () => 'cached',
        () => {
          ran = true;
        },
      ),
    ).toMatchObject({ status: 'completed', output: 'cached' });
    expect(ran).toBe(false);
  });

  it('sees what a schema refuses, and no step that is not served', async () => {
    const caught: unknown[] = [];
    const handler = sqsStepHandler(
      { step: (input: unknown) => input },
      {
        logger,
        around: async (step, next) => {
          caught.push(step.task.name);
          return next();
        },
      },
    );
    expect((await resultOf(handler, eventOfInputs([1], 'other'))).error?.code).toBe('no_handler');
    expect(caught).toEqual([]);
  });
});
