import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateQueueCommand } from '@aws-sdk/client-sqs';
import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { expect, it } from 'vitest';
import { runStarter } from '../../../src/client/index.ts';
import { depth, send, until } from '../local/queues.ts';
import { localSqs } from './support.ts';

const local = localSqs();
const RUNS = 100;

/** A store that takes a moment for each call, so that deliveries of one start meet. */
class SlowStore extends InMemoryStateStore {
  created = 0;
  override async getRun(runId: string) {
    await sleep(Math.random() * 3);
    return super.getRun(runId);
  }
  override async createRun(run: Parameters<InMemoryStateStore['createRun']>[0]) {
    await sleep(Math.random() * 3);
    this.created += 1;
    return super.createRun(run);
  }
}

function engineOf(options: Parameters<typeof local.transport>[0]) {
  const { transport, prefix } = local.transport({ startRuns: true, ...options });
  const store = new SlowStore();
  const engine = new WorkflowEngine({ store, transport });
  transport.attach(engine);
  const begun = new Map<string, number>();
  engine.register('checkout', '1', async (_ctx, input) => {
    const { id } = Object(input);
    begun.set(id, (begun.get(id) ?? 0) + 1);
    return id;
  });
  return { engine, store, transport, prefix, begun };
}

it(`${RUNS} starts of which each is delivered twice are ${RUNS} runs`, async () => {
  const { engine, store, transport, prefix, begun } = engineOf({ autoStart: false });
  const start = (index: number) => ({ workflow: 'checkout', input: { id: index }, runId: `run-${index}` });
  await transport.dispatchStartRun(start(0));
  const queueUrl = await local.queueUrl(`${prefix}-start-run`);
  const startRun = runStarter({ prefix, clientConfig: local.clientConfig });
  await startRun(start(1));
  // Side by side on the queue, so that both are received at once: the same body under another message id.
  const twice = Array.from({ length: RUNS }, (_, index) => JSON.stringify(start(index))).flatMap((body) => [body, body]);
  await send(local.client, queueUrl, twice.slice(1));
  const runIds = Array.from({ length: RUNS }, (_, index) => start(index).runId);
  transport.start();
  await until(async () => expect(await depth(local.client, queueUrl)).toBe(0));
  await Promise.all(runIds.map((runId) => engine.waitForRun(runId, { until: 'terminal', timeoutMs: 30_000 })));
  expect(store.created).toBe(RUNS);
  expect(begun.size).toBe(RUNS);
  expect([...begun.values()].filter((times) => times > 1)).toEqual([]);
});

it('a start of a workflow that no engine knows ends in a dead-letter queue, and every refusal is told', async () => {
  const prefix = `t${randomUUID().slice(0, 8)}`;
  const created = await local.client.send(new CreateQueueCommand({ QueueName: `${prefix}-start-run-dead-letters` }));
  const { QueueArn: deadLetterTargetArn } = await local.attributes(`${prefix}-start-run-dead-letters`);
  // Two receives instead of twenty, which take an hour.
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 2 });
  await local.client.send(new CreateQueueCommand({ QueueName: `${prefix}-start-run`, Attributes: { RedrivePolicy } }));
  const errors: unknown[] = [];
  const { transport, engine } = engineOf({ prefix, onError: (error) => errors.push(error) });
  await transport.dispatchStartRun({ workflow: 'refund', input: {}, runId: 'run-1', tenant: 'default' });
  await until(async () => expect(await depth(local.client, created.QueueUrl ?? '')).toBe(1));
  expect(errors.map(String)).toEqual(['Error: workflow refund is not registered', 'Error: workflow refund is not registered']);
  expect(await engine.getRun('run-1')).toBeNull();
});
