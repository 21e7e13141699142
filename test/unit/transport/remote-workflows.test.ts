import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SqsTransport } from '../../../src/transport/index.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { ended } from './ended.ts';
import { FakeSqs, pass } from './fake-sqs.ts';
import { toleratingUnhandledRejections } from './unhandled-rejections.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp(store = new InMemoryStateStore()) {
  const logger = capturingLogger();
  const errors: unknown[] = [];
  const sqs = new FakeSqs('durable-results');
  const transport = new SqsTransport({ client: sqs.client(), logger, onError: (error) => errors.push(error) });
  const engine = new WorkflowEngine({ store, transport });
  transport.attach(engine);
  engine.remote('checkout', { group: 'checkout' });
  return { logger, errors, sqs, transport, engine };
}

describe('a workflow whose tasks queue is missing', () => {
  it('fails its run with what is wrong, and no rejection is left unhandled', async () => {
    const { logger, errors, sqs, transport, engine } = setUp();
    const unhandled = await toleratingUnhandledRejections(async () => {
      await engine.start('checkout', {}, 'run');
      await pass(1_000);
    });
    expect(unhandled).toEqual([]);
    const run = await engine.getRun('run');
    expect(run).toMatchObject({ status: 'failed', error: { code: 'queue_not_found' } });
    expect(run?.error?.message).toContain('durable-tasks-checkout');
    expect(errors).toMatchObject([{ name: 'QueueNotFoundError' }]);
    expect(logger.lines).toMatchObject([
      { level: 'error', fields: { runId: 'run', workflow: 'checkout', errorName: 'QueueNotFoundError' } },
    ]);
    expect(sqs.callsOf('send')).toEqual([]);
    await ended(transport.close());
  });

  it('leaves other workflows of the engine as they are', async () => {
    const { engine, transport } = setUp();
    engine.register('local', '1', async () => 'done');
    await engine.start('checkout', {}, 'remote');
    await engine.start('local', {}, 'local');
    await pass(1_000);
    expect(await engine.getRun('local')).toMatchObject({ status: 'completed' });
    await ended(transport.close());
  });

  it('fails its run, too, where the store is down for a while', async () => {
    const store = new InMemoryStateStore();
    const { engine, transport } = setUp(store);
    const tryLockRun = store.tryLockRun.bind(store);
    let locks = 0;
    store.tryLockRun = async (...args) => {
      locks += 1;
      if (locks > 1 && Date.now() < 1_005_000) throw new Error('store is down');
      return tryLockRun(...args);
    };
    const unhandled = await toleratingUnhandledRejections(async () => {
      await engine.start('checkout', {}, 'run');
      await pass(30_000);
    });
    expect(unhandled).toEqual([]);
    expect(await engine.getRun('run')).toMatchObject({ status: 'failed' });
    await ended(transport.close());
  });
});
