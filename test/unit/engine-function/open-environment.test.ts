import { InMemoryStateStore, InMemoryTransport, type Transport, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import type { Context } from 'aws-lambda';
import { describe, expect, it, vi } from 'vitest';
import { readEngineOptions } from '../../../src/engine-function/engine-options.ts';
import { engineHandler, sqsEngineHandler } from '../../../src/engine-function/sqs-engine-handler.ts';
import { lambdaContext } from '../../../src/local/lambda-context.ts';
import type { ResultSender } from '../../../src/sqs/sqs-api.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { eventOf, recordOf } from '../../support/sqs-records.ts';

const API: ResultSender = {
  sendMessages: async (_, messages) => messages.map(() => ({ ok: true })),
  changeVisibility: async (_, changes) => changes.map(() => ({ ok: true })),
  findQueueUrl: async (name) => `https://sqs.us-east-1.amazonaws.com/1/${name}`,
  region: async () => 'us-east-1',
};
const RESULTS = { eventSourceARN: 'arn:aws:sqs:us-east-1:123456789012:durable-results' };
const EVENT = eventOf(recordOf(JSON.stringify({ runId: 'run', seq: 0, stepId: 'run:0', status: 'completed' }), RESULTS));
const context = (): Context => lambdaContext({ functionName: 'engine', timeoutMs: 5_000 });

function handlerOf(open: Parameters<typeof sqsEngineHandler>[0]) {
  const logger = capturingLogger();
  return { logger, handler: engineHandler(open, readEngineOptions({ logger }, {}), API) };
}

describe('the engine of an environment', () => {
  it('opens once', async () => {
    let opened = 0;
    const { handler } = handlerOf((transport) => {
      opened += 1;
      return new WorkflowEngine({ store: new InMemoryStateStore(), transport });
    });
    await Promise.all([handler(EVENT, context()), handler(EVENT, context())]);
    await handler(EVENT, context());
    expect(opened).toBe(1);
  });

  it('opens again in the next invocation where that failed', async () => {
    let fails = true;
    const { handler, logger } = handlerOf((transport) => {
      if (fails) throw new Error('secret: no database');
      return new WorkflowEngine({ store: new InMemoryStateStore(), transport });
    });
    await expect(handler(EVENT, context())).rejects.toThrow('no database');
    expect(logger.lines.map(({ message }) => message)).toEqual([
      'the engine could not be opened; the next invocation tries again',
      'the invocation failed',
    ]);
    fails = false;
    expect(await handler(Object.assign({ source: 'aws.events' }, eventOf()), context())).toEqual({ batchItemFailures: [] });
    expect(JSON.stringify(logger.lines)).not.toContain('secret');
  });

  it.each([
    ['opens while Lambda initialises the environment, and not again', 'on-demand', [1, 1]],
    ['opens nothing where its module is loaded elsewhere', undefined, [0, 1]],
  ])('%s, by ready()', async (_, type, expected) => {
    vi.stubEnv('AWS_LAMBDA_INITIALIZATION_TYPE', type);
    let opened = 0;
    const { handler } = handlerOf((transport) => {
      opened += 1;
      return new WorkflowEngine({ store: new InMemoryStateStore(), transport });
    });
    await handler.ready();
    const before = opened;
    await handler(EVENT, context());
    expect([before, opened]).toEqual(expected);
    vi.unstubAllEnvs();
  });

  it('opens in the first invocation where ready() could not', async () => {
    vi.stubEnv('AWS_LAMBDA_INITIALIZATION_TYPE', 'on-demand');
    const opened: string[] = [];
    const { handler } = handlerOf((transport) => {
      opened.push(opened.length === 0 ? 'fails' : 'opens');
      if (opened.length === 1) throw new Error('no database');
      return new WorkflowEngine({ store: new InMemoryStateStore(), transport });
    });
    await handler.ready();
    expect(opened).toEqual(['fails']);
    await handler(EVENT, context());
    expect(opened).toEqual(['fails', 'opens']);
    vi.unstubAllEnvs();
  });

  it.each([
    ['nothing', () => undefined, /expected the function to give a WorkflowEngine, got nothing/],
    [
      'an engine with another transport',
      () => new WorkflowEngine({ store: new InMemoryStateStore(), transport: new InMemoryTransport() }),
      /expected an engine made with the transport that the function was given/,
    ],
    [
      'an engine without reconcileMs',
      (transport: Transport) => new WorkflowEngine({ store: new InMemoryStateStore(), transport, reconcileMs: 0 }),
      /expected an engine with reconcileMs, got one with reconcileMs: 0/,
    ],
    [
      'an engine whose module polls',
      (transport: Transport) => {
        const engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
        engine.onEnqueued(() => undefined);
        return engine;
      },
      /got one whose module polls\. With NestJS give DurableModule\.forRoot the option drive: false/,
    ],
  ])('ends the invocation where it cannot serve: %s', async (_, open, message) => {
    const { handler } = handlerOf(Object.assign(open));
    await expect(handler(EVENT, context())).rejects.toThrow(message);
  });
});

describe('a tick', () => {
  const tickOf = (handler: object) => Reflect.apply(Object.assign(handler), undefined, [{ source: 'aws.events' }, context()]);

  it('calls onTick after the passes of the engine, and waits for what that begins', async () => {
    const order: string[] = [];
    const { handler } = handlerOf((transport) => {
      const store = new InMemoryStateStore();
      const engine = new WorkflowEngine({ store, transport });
      engine.register('none', '1', async () => void order.push('run'));
      const sweep = engine.sweepTimeouts.bind(engine);
      engine.sweepTimeouts = (now) => {
        order.push('passes');
        return sweep(now);
      };
      return {
        engine,
        async onTick() {
          order.push('onTick');
          await engine.start('none', {}, 'scheduled');
        },
      };
    });
    await tickOf(handler);
    expect(order).toEqual(['passes', 'onTick', 'run']);
  });

  it('fails where onTick does', async () => {
    const { handler } = handlerOf((transport) => ({
      engine: new WorkflowEngine({ store: new InMemoryStateStore(), transport }),
      onTick: () => Promise.reject(new Error('no schedule')),
    }));
    await expect(tickOf(handler)).rejects.toThrow('no schedule');
  });
});

describe('sqsEngineHandler', () => {
  it.each([
    ['no function', ['engine', {}], /expected a function that makes the engine, got a string/],
    ['an unknown option', [() => undefined, { concurrency: 1 }], /unknown option "concurrency"/],
    ['a wrong type', [() => undefined, { deadlineReserveMs: 0 }], /deadlineReserveMs/],
  ])('refuses %s at load', (_, given, message) => {
    expect(() => Reflect.apply(sqsEngineHandler, undefined, given)).toThrow(message);
  });

  it('refuses an event that comes from neither a queue nor a schedule', async () => {
    const { handler } = handlerOf((transport) => new WorkflowEngine({ store: new InMemoryStateStore(), transport }));
    await expect(Reflect.apply(handler, undefined, [{ source: 'me' }, context()])).rejects.toThrow(/expected an SQS event/);
  });

  it('leaves what is no StepResult for the dead-letter queue', async () => {
    const { handler, logger } = handlerOf((transport) => new WorkflowEngine({ store: new InMemoryStateStore(), transport }));
    const answer = await handler(eventOf(recordOf('{"secret":1}', { ...RESULTS, messageId: 'poison' })), context());
    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'poison' }] });
    expect(JSON.stringify(logger.lines)).not.toContain('secret');
  });
});
