import { InMemoryStateStore, type RemoteTask, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SqsTransport } from '../../../src/transport/index.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { ended } from './ended.ts';
import { FakeSqs, pass } from './fake-sqs.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Engines of two namespaces on one store, which share a results queue. */
function tenants({ fifo = false } = {}) {
  const suffix = fifo ? '.fifo' : '';
  const results = `durable-results${suffix}`;
  const queues = ['acme', 'beta'].map((namespace) => `durable-tasks-a_at_${namespace}${suffix}`);
  const sqs = new FakeSqs(results, ...queues);
  const store = new InMemoryStateStore();
  const boot = (namespace: string) => {
    const logger = capturingLogger();
    const transport = new SqsTransport({ client: sqs.client(), fifo, logger });
    const engine = new WorkflowEngine({ store, transport, namespace });
    transport.attach(engine);
    engine.register('workflow', '1', async (ctx) => [await ctx.step('a', 1), await ctx.step('a', 2)]);
    return { namespace, logger, transport, engine };
  };
  /** Workers of all tenants answer what is there. */
  const answer = () => {
    for (const queue of queues) {
      for (const { body } of sqs.messages(queue)) {
        const { runId, seq, stepId }: RemoteTask = JSON.parse(body);
        const result = { runId, seq, stepId, status: 'completed', output: seq };
        if (fifo) sqs.putInGroup(results, runId, result);
        else sqs.put(results, result);
      }
      sqs.removeQueue(queue);
      sqs.addQueue(queue);
    }
  };
  return { sqs, store, boot, answer, results };
}

describe('engines of two namespaces that share a results queue', () => {
  it.each([
    ['standard', false],
    ['FIFO', true],
  ])('%s: every run goes on at once, in its own namespace', async (_kind, fifo) => {
    const { sqs, store, boot, answer, results } = tenants({ fifo });
    const engines = [boot('acme'), boot('beta')];
    const runIds: string[] = [];
    for (let index = 0; index < 10; index += 1) {
      for (const { namespace, engine } of engines) {
        runIds.push(`${namespace}-${index}`);
        await engine.start('workflow', {}, `${namespace}-${index}`);
      }
    }
    await pass(300);
    for (let round = 0; round < 4; round += 1) {
      answer();
      await pass(3_000);
    }
    const statuses = await Promise.all(runIds.map(async (runId) => (await store.getRun(runId))?.status));
    expect(statuses).toEqual(runIds.map(() => 'completed'));
    expect(sqs.messages(results)).toEqual([]);
    for (const { transport } of engines) await ended(transport.close());
  });

  it('results of a namespace whose engine is away are kept for it, and a line says once what to do', async () => {
    const { sqs, store, boot, answer, results } = tenants();
    const acme = boot('acme');
    for (const runId of ['acme-0', 'acme-1', 'acme-2']) await acme.engine.start('workflow', {}, runId);
    await pass(300);
    await ended(acme.transport.close());
    const beta = boot('beta');
    answer();
    await pass(3_600_000);
    const [first, ...others] = sqs.messages(results).map(({ receiveCount }) => receiveCount);
    expect(others).toHaveLength(2);
    expect(Math.max(first ?? 0, ...others)).toBeLessThan(20);
    const told = beta.logger.lines.filter(({ message }) => message.includes('namespace'));
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ level: 'warn', message: expect.stringContaining('results queue') });
    const successor = boot('acme');
    await pass(4 * 3_600_000);
    answer();
    await pass(60_000);
    for (const runId of ['acme-0', 'acme-1', 'acme-2']) expect(await store.getRun(runId)).toMatchObject({ status: 'completed' });
    for (const { transport } of [beta, successor]) await ended(transport.close());
  });

  it('the store is asked for no run as long as all results are of the engine’s own namespace', async () => {
    const { store, boot, answer } = tenants();
    const acme = boot('acme');
    await acme.engine.start('workflow', {}, 'acme-0');
    await pass(300);
    const getRun = vi.spyOn(acme.engine, 'getRun');
    answer();
    await pass(1_000);
    answer();
    await pass(1_000);
    expect(await store.getRun('acme-0')).toMatchObject({ status: 'completed' });
    expect(getRun).not.toHaveBeenCalled();
    await ended(acme.transport.close());
  });
});
