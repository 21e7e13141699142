import { type InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { describe, expect, it } from 'vitest';
import { SqsTransport } from '../../src/index.ts';
import { createQueues, type LocalSqs, startLocalSqs } from '../../src/local/index.ts';
import { silentLogger, stepsInARow } from '../support/local-cloud.ts';
import { slowStore } from '../support/slow-store.ts';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const STEPS = ['test.one', 'test.two', 'test.three'];

/** Two engines, each with its transport, on one slow store; a third transport is the worker. */
async function twoEngines(sqs: LocalSqs, store: InMemoryStateStore, fifo: { tasks: boolean; results: boolean }, engines = 2) {
  const { clientConfig } = sqs;
  await createQueues({ clientConfig, steps: STEPS, functionTimeoutSeconds: 10, fifo });
  const runsOfStep = new Map<string, number>();
  const worker = new SqsTransport({ clientConfig, waitTimeSeconds: 1, fifo, concurrency: 50, logger: silentLogger });
  for (const step of STEPS) {
    worker.handle(step, (input, { task }) => {
      runsOfStep.set(task.stepId, (runsOfStep.get(task.stepId) ?? 0) + 1);
      return input;
    });
  }
  const instances = Array.from({ length: engines }, () => {
    const transport = new SqsTransport({ clientConfig, waitTimeSeconds: 1, fifo, consumeTasks: false, logger: silentLogger });
    const engine = new WorkflowEngine({ store, transport });
    transport.attach(engine);
    engine.register('in-a-row', '1', stepsInARow(STEPS));
    engine.register('fan-out', '1', (ctx) => Promise.all(Array.from({ length: 10 }, (_, index) => ctx.step('test.two', index))));
    return { engine, transport };
  });
  return {
    runsOfStep,
    instances,
    async close() {
      for (const { engine } of instances) await engine.drain();
      await Promise.all([worker.close(), ...instances.map(({ transport }) => transport.close())]);
    },
  };
}

describe.each([
  { name: 'standard tasks and FIFO results', fifo: { tasks: false, results: true }, share: 1 },
  { name: 'FIFO queues', fifo: { tasks: true, results: true }, share: 0.2 },
])(`two engines on one slow store, $name (seed ${SEED})`, ({ fifo, share }) => {
  it.each([
    { workflow: 'in-a-row', runs: 1_000 * share, atOnce: 50, steps: 3 },
    { workflow: 'fan-out', runs: 100 * share, atOnce: 10, steps: 10 },
  ])('leave no run of $runs asleep and run no step twice: $workflow', async ({ workflow, runs, atOnce, steps }) => {
    const sqs = await startLocalSqs();
    const store = slowStore(SEED);
    const { instances, runsOfStep, close } = await twoEngines(sqs, store, fifo);
    const runIds = Array.from({ length: runs }, (_, index) => `${workflow}-${index}`);

    const lane = async (first: number) => {
      for (let index = first; index < runs; index += atOnce) {
        const engine = instances[index % 2]?.engine;
        const runId = runIds[index] ?? '';
        await engine?.start(workflow, index, runId);
        await engine?.waitForRun(runId, { until: 'terminal', timeoutMs: 120_000 }).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, (_, first) => lane(first)));
    for (const { engine } of instances) await engine.drain(60_000);
    const statuses = await Promise.all(runIds.map(async (runId) => (await store.getRun(runId))?.status));
    await close();
    await sqs.stop();
    expect(count(statuses)).toEqual({ completed: runs });
    expect(count([...runsOfStep.values()])).toEqual({ 1: runs * steps });
  });
});

it(`a step that is awaited in memory, behind a durable one, is not shut out by its own run's FIFO group (seed ${SEED})`, async () => {
  const sqs = await startLocalSqs();
  const { instances, close } = await twoEngines(sqs, slowStore(SEED), { tasks: true, results: true }, 1);
  const engine = instances[0]?.engine;
  engine?.register('mixed', '1', async (ctx, input) => {
    const first = await ctx.step('test.one', input);
    const second = await ctx.step('test.two', first, { timeoutMs: 5_000 });
    return ctx.step('test.three', second);
  });
  const runIds = Array.from({ length: 100 }, (_, index) => `mixed-${index}`);
  const statuses = await Promise.all(
    runIds.map(async (runId) => {
      await engine?.start('mixed', runId, runId);
      return (await engine?.waitForRun(runId, { until: 'terminal', timeoutMs: 60_000 }))?.status;
    }),
  );
  await close();
  await sqs.stop();
  expect(count(statuses)).toEqual({ completed: 100 });
});

function count(values: readonly unknown[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1;
  return counts;
}
