import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SqsTransport } from '../../../src/index.ts';
import { createQueues, type LocalSqs, startLocalSqs } from '../../../src/local/index.ts';
import { silentLogger } from '../../support/local-cloud.ts';
import { taskFor } from '../../support/sqs-records.ts';

let sqs: LocalSqs;
beforeAll(async () => {
  sqs = await startLocalSqs();
});
afterAll(() => sqs.stop());

describe('FIFO queues on a server', () => {
  it('createQueues makes them, each kind for itself', async () => {
    const { clientConfig } = sqs;
    const both = await createQueues({ clientConfig, steps: ['step'], prefix: 'both', fifo: true });
    const results = await createQueues({ clientConfig, steps: ['step'], prefix: 'half', fifo: { results: true } });
    expect([both.tasksQueueUrls.get('step'), both.resultsQueueUrl].every((url) => url?.endsWith('.fifo'))).toBe(true);
    expect(results.tasksQueueUrls.get('step')?.endsWith('.fifo')).toBe(false);
    expect(results.resultsQueueUrl.endsWith('.fifo')).toBe(true);
    const client = new SQSClient(clientConfig);
    const { Attributes } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl: both.tasksQueueUrls.get('step'), AttributeNames: ['All'] }),
    );
    client.destroy();
    expect(Attributes).toMatchObject({ FifoQueue: 'true', DeduplicationScope: 'messageGroup', FifoThroughputLimit: 'perMessageGroupId' });
    expect(Attributes?.['RedrivePolicy']).toContain('both-dead-letters-step.fifo');
  });

  it('keep the order of each run from dispatch to result, and take many runs at full speed', async () => {
    const { clientConfig } = sqs;
    const options = { clientConfig, prefix: 'order', fifo: true, autoCreate: true, waitTimeSeconds: 1, logger: silentLogger };
    const worker = new SqsTransport({ ...options, concurrency: 100 });
    const ran = new Map<string, number[]>();
    const listOf = (lists: Map<string, number[]>, runId: string) => lists.get(runId) ?? lists.set(runId, []).get(runId) ?? [];
    worker.handle('step', (_input: unknown, { task }) => void listOf(ran, task.runId).push(task.seq));
    const engine = new SqsTransport({ ...options, consumeTasks: false });
    engine.attach({ subscribe: () => () => undefined, getRun: async () => null, resume: async () => undefined });
    const taken = new Map<string, number[]>();
    const all = Promise.withResolvers<void>();
    let count = 0;
    engine.onResult(async ({ runId, seq }) => {
      listOf(taken, runId).push(seq);
      count += 1;
      if (count === 400) all.resolve();
    });
    const runIds = Array.from({ length: 100 }, (_, index) => `run-${index}`);
    const before = sqs.requests()['SendMessageBatch'] ?? 0;
    await Promise.all([0, 1, 2, 3].flatMap((seq) => runIds.map((runId) => engine.dispatch(taskFor({ runId, seq })))));
    // Ten groups to a request: as few requests as on a standard queue.
    expect((sqs.requests()['SendMessageBatch'] ?? 0) - before).toBeLessThan(120);
    await all.promise;
    for (const runId of runIds) {
      expect(ran.get(runId)).toEqual([0, 1, 2, 3]);
      expect(taken.get(runId)).toEqual([0, 1, 2, 3]);
    }
    await Promise.all([engine.close(), worker.close()]);
  });
});
