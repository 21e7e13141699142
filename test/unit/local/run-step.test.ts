import middy from '@middy/core';
import type { Context, SQSEvent } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { sqsStepHandler } from '../../../src/lambda/index.ts';
import { runStep, type StepHandlerLike } from '../../../src/local/run-step.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';

const logger = capturingLogger();

describe('runStep', () => {
  it('gives the result as the engine would read it', async () => {
    const handler = sqsStepHandler(
      'charge',
      (input: { orderId: string }, step) => {
        step.info('charging');
        return { chargeId: `ch-${input.orderId}`, at: new Date(0), nothing: undefined };
      },
      { logger },
    );
    expect(await runStep(handler, { orderId: 'o-1' })).toEqual({
      runId: expect.stringMatching(/^test-/),
      seq: 0,
      stepId: expect.stringMatching(/^test-.+:0$/),
      status: 'completed',
      output: { chargeId: 'ch-o-1', at: '1970-01-01T00:00:00.000Z' },
      startedAt: expect.any(Number),
      events: [{ at: expect.any(Number), level: 'info', message: 'charging' }],
    });
  });

  it('gives a failed result for a step that throws', async () => {
    const handler = sqsStepHandler('charge', () => Promise.reject(new Error('declined')), { logger });
    expect(await runStep(handler, {})).toMatchObject({ status: 'failed', error: { message: 'declined' } });
  });

  it('passes the input through JSON, as on its way through SQS', async () => {
    const handler = sqsStepHandler('charge', (input: object) => Object.keys(input), { logger });
    expect((await runStep(handler, { at: new Date(), gone: undefined, fn: () => 1 })).output).toEqual(['at']);
    const typed = sqsStepHandler('charge', (input: { at: unknown }) => typeof input.at, { logger });
    expect((await runStep(typed, { at: new Date() })).output).toBe('string');
  });

  it('applies schemas, around and middlewares', async () => {
    const order: string[] = [];
    const handler = sqsStepHandler('charge', (n) => n + 1, {
      input: z.coerce.number(),
      around: async (_step, next) => {
        order.push('around');
        return next();
      },
      logger,
    })
      .before(() => void order.push('before'))
      .after(() => void order.push('after'));
    expect((await runStep(handler, '41')).output).toBe(42);
    expect(order).toEqual(['before', 'around', 'after']);
    expect(await runStep(handler, 'no number')).toMatchObject({ error: { code: 'invalid_input' } });
  });

  it('tells the step what a test says of its task, delivery and time', async () => {
    const handler = sqsStepHandler(
      'charge',
      (_input, step) => {
        const { attempt, stepId, traceparent, group } = step.task;
        return { attempt, stepId, traceparent, group, receiveCount: step.receiveCount, left: step.remainingTimeMs() > 4_000 };
      },
      { logger },
    );
    const task = { runId: 'r', attempt: 3, traceparent: '00-a-b-01' };
    expect((await runStep(handler, {}, { task, receiveCount: 2, timeoutMs: 5_000 })).output).toEqual({
      attempt: 3,
      stepId: 'r:0',
      traceparent: '00-a-b-01',
      group: 'charge',
      receiveCount: 2,
      left: true,
    });
  });

  it('routes as the engine does: the group is the name as a token', async () => {
    const handler = sqsStepHandler('ns:charge', (_input, step) => step.task.group, { logger });
    expect((await runStep(handler, {})).output).toBe('ns-charge');
  });

  it('runs the named step of several', async () => {
    const handler = sqsStepHandler({ a: () => 'A', b: () => 'B' }, { logger });
    expect((await runStep(handler, {}, { name: 'b' })).output).toBe('B');
    expect((await runStep(handler, {}, { name: 'c' })).error).toMatchObject({ code: 'no_handler' });
  });

  it('carries the marker that the handler asks for', async () => {
    expect(
      (
        await runStep(
          sqsStepHandler('charge', () => 'ran', { marker: 'durable', logger }),
          {},
        )
      ).output,
    ).toBe('ran');
  });

  it('runs many at once without mixing them', async () => {
    const handler = sqsStepHandler('charge', async (n: number) => n, { logger });
    const results = await Promise.all(Array.from({ length: 20 }, (_none, n) => runStep(handler, n)));
    expect(results.map(({ output }) => output)).toEqual(Array.from({ length: 20 }, (_none, n) => n));
  });
});

describe('runStep with a step that takes too long', () => {
  const never = (onDeadline: 'fail' | 'redeliver') => sqsStepHandler('a', () => new Promise(() => {}), { logger, onDeadline });

  it('gives the result that the engine would get', async () => {
    const result = await runStep(never('fail'), {}, { timeoutMs: 400 });
    expect(result).toMatchObject({ status: 'failed', error: { code: 'lambda_timeout', retryable: true } });
  });

  it('says so where there would be none', async () => {
    await expect(runStep(never('redeliver'), {}, { timeoutMs: 400 })).rejects.toThrow('its time was over');
  });
});

describe('runStep with a wrapped handler', () => {
  const inner = sqsStepHandler('charge', (n: number, step) => ({ n, left: step.remainingTimeMs() }), { logger });

  it.each<[string, StepHandlerLike]>([
    ['hands on event and context', (event, context) => inner(event, context)],
    ['is a middy around it', middy((event: SQSEvent, context: Context) => inner(event, context))],
    ['copies the context', (event, context) => inner(event, { ...context, functionName: 'traced' })],
  ])('runs the wrapper, too, which %s', async (_how, wrapped) => {
    expect(await runStep(wrapped, 7, { name: 'charge' })).toMatchObject({
      status: 'completed',
      output: { n: 7, left: expect.any(Number) },
    });
  });

  it('marks the message as it is told', async () => {
    const marked = sqsStepHandler('charge', () => 1, { logger, marker: 'durable' });
    const wrapped: StepHandlerLike = (event, context) => marked(event, context);
    expect(await runStep(wrapped, 7, { name: 'charge', marker: 'durable' })).toMatchObject({ output: 1 });
  });

  it('asks for the name of the step', async () => {
    await expect(runStep((event, context) => inner(event, context), 7)).rejects.toThrow(
      'got another function; where it wraps that handler, say by options.name which step to run',
    );
  });

  it('tells of a function that wraps no handler', async () => {
    await expect(runStep(() => 1, 7, { name: 'charge' })).rejects.toThrow('or it wraps no handler that sqsStepHandler gave');
  });
});

describe('runStep says what is wrong', () => {
  const several = sqsStepHandler({ a: () => 1, b: () => 2 }, { logger });
  const one = sqsStepHandler('a', () => 1, { logger });

  it('refuses a handler of several steps without a name', async () => {
    await expect(runStep(several, {})).rejects.toMatchObject({
      name: 'ConfigurationError',
      message: 'runStep: expected options.name to be one of a, b: this handler serves several steps',
    });
  });

  it.each([
    ['nothing', undefined],
    ['an object', {}],
  ])('refuses %s for a handler', async (kind, handler) => {
    await expect(Reflect.apply(runStep, undefined, [handler, {}])).rejects.toMatchObject({
      name: 'ConfigurationError',
      message: `runStep: expected the handler that sqsStepHandler gave, got ${kind}`,
    });
  });

  it('refuses an input that no engine could send', async () => {
    await expect(runStep(one, { n: 1n })).rejects.toMatchObject({
      name: 'ConfigurationError',
      message: 'runStep: the input cannot become JSON, so no engine could send it',
      cause: expect.any(TypeError),
    });
  });

  it('refuses an input of which a step would get nothing', async () => {
    await expect(runStep(one, { prices: new Map([['a', 1]]) })).rejects.toThrow(
      'runStep: input.prices is a Map, whose JSON is {}: that is all a step gets of it',
    );
  });

  it('refuses a task that is not one', async () => {
    await expect(runStep(one, {}, { task: { attempt: 0 } })).rejects.toMatchObject({
      name: 'InvalidMessageError',
      message: 'message body is not a RemoteTask: expected attempt to be an integer of at least 1, got a number',
    });
  });

  it('names a middleware that keeps the step from running', async () => {
    const answers = sqsStepHandler('a', () => 1, { logger }).before(() => ({ batchItemFailures: [] }));
    await expect(runStep(answers, {})).rejects.toMatchObject({
      name: 'ConfigurationError',
      message: 'runStep: step "a" sent no result: a middleware kept it from running, or its time was over (onDeadline: \'redeliver\')',
    });
    const error = new Error('no database');
    const throws = sqsStepHandler('a', () => 1, { logger }).before(() => Promise.reject(error));
    await expect(runStep(throws, {})).rejects.toBe(error);
  });
});
