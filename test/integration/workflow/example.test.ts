import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Order } from '../../../examples/workflow/src/orders.ts';
import { SqsTransport } from '../../../src/index.ts';
import { createQueues, LocalEventSourceMapping, type LocalSqs } from '../../../src/local/index.ts';
import { silentLogger } from '../../support/local-cloud.ts';
import { startTestSqs } from '../../support/sqs-server.ts';

const STEPS = ['payments.charge-card', 'payments.refund', 'orders.ship'];

describe('examples/workflow', () => {
  const store = new InMemoryStateStore();
  let sqs: LocalSqs;
  let engine: WorkflowEngine;
  let transport: SqsTransport;
  const mappings: LocalEventSourceMapping[] = [];

  beforeAll(async () => {
    sqs = await startTestSqs();
    const { clientConfig } = sqs;
    const prefix = 'example';
    const queues = await createQueues({ clientConfig, prefix, steps: ['checkout', ...STEPS], functionTimeoutSeconds: 10 });
    // As its function has them: the handlers read them when they are loaded.
    vi.stubEnv('DURABLE_RESULTS_QUEUE_URL', queues.resultsQueueUrl);
    vi.stubEnv('AWS_ENDPOINT_URL_SQS', sqs.endpoint);
    vi.stubEnv('AWS_REGION', sqs.region);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'local');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'local');
    const { handler: checkout } = await import('../../../examples/workflow/src/functions/checkout.ts');
    const { handler: payments } = await import('../../../examples/workflow/src/functions/payments.ts');
    for (const [functionName, queueUrl] of queues.tasksQueueUrls) {
      const handler = functionName === 'checkout' ? checkout : payments;
      mappings.push(
        new LocalEventSourceMapping({ clientConfig, queueUrl, handler, functionName, timeoutMs: 10_000, logger: silentLogger }),
      );
    }
    for (const mapping of mappings) mapping.start();
    transport = new SqsTransport({ clientConfig, prefix, waitTimeSeconds: 1, logger: silentLogger });
    engine = new WorkflowEngine({ store, transport });
    transport.attach(engine);
    for (const version of ['1', '2']) engine.remote('checkout', { group: 'checkout', version });
  });

  afterAll(async () => {
    vi.unstubAllEnvs();
    await engine.drain();
    await Promise.all([transport.close(), ...mappings.map((mapping) => mapping.stop())]);
    await sqs.stop();
  });

  const order: Order = { orderId: 'o-1', amountCents: 2_500, address: '1 Main Street' };

  async function checkedOut(given: Order) {
    await engine.start('checkout', given, given.orderId);
    return engine.waitForRun(given.orderId, { until: 'terminal', timeoutMs: 30_000 });
  }

  it('ships an order, on the newest version', async () => {
    expect(await checkedOut(order)).toMatchObject({ status: 'completed', output: { trackingId: expect.any(String) } });
    expect(await engine.getRun('o-1')).toMatchObject({ workflowVersion: '2' });
  });

  it('waits for the approval of a large order', async () => {
    const ended = checkedOut({ ...order, orderId: 'o-2', amountCents: 200_000 });
    await engine.signal('approve:o-2', true);
    expect(await ended).toMatchObject({ status: 'completed' });
  });

  it('gives the money back where the shipping fails, and fails with that failure', async () => {
    expect(await checkedOut({ ...order, orderId: 'o-3', address: '' })).toMatchObject({
      status: 'failed',
      error: { message: 'order o-3 has no address' },
    });
    expect((await store.listCheckpoints('o-3')).map(({ name }) => name)).toEqual([
      'payments.charge-card',
      'orders.ship',
      'payments.refund',
    ]);
  });
});
