import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SqsTransport, type SqsTransportOptions, sqsStepHandler } from '../../src/index.ts';
import { createQueues, LocalEventSourceMapping, type LocalSqs, startLocalSqs } from '../../src/local/index.ts';
import { sqsApi } from '../../src/sqs/api-calls.ts';
import { openSqs } from '../../src/sqs/open-sqs.ts';
import { silentLogger, stepsInARow } from '../support/local-cloud.ts';
import { slowStore } from '../support/slow-store.ts';

const STEPS = ['test.one', 'test.two', 'test.three'];
const RUNS = Array.from({ length: 100 }, (_, index) => `run-${index}`);
/** A run whose result was lost sleeps for five minutes; one that goes on needs seconds. */
const PROMPT_MS = 20_000;
/** What was with the killed engine is hidden for 30 seconds first. */
const AFTER_A_KILL_MS = 60_000;

let sqs: LocalSqs;
let resultsQueueUrl: string;
let tasksQueueUrls: ReadonlyMap<string, string>;
let workers: LocalEventSourceMapping[];
let transports: SqsTransport[];
/** Ids of the steps that a worker has run. */
let answered: Set<string>;

beforeEach(async () => {
  sqs = await startLocalSqs();
  ({ resultsQueueUrl, tasksQueueUrls } = await createQueues({ clientConfig: sqs.clientConfig, steps: STEPS, functionTimeoutSeconds: 10 }));
  workers = [];
  transports = [];
  answered = new Set();
});
afterEach(async () => {
  await Promise.all([...transports.map((transport) => transport.close()), ...workers.map((worker) => worker.stop())]);
  await sqs.stop();
});

function startWorkers(...steps: readonly string[]): void {
  const { clientConfig } = sqs;
  const table = Object.fromEntries(STEPS.map((step) => [step, (input: unknown) => ({ step, input })]));
  const around = (step: { readonly task: { readonly stepId: string } }, next: () => Promise<unknown>) => {
    answered.add(step.task.stepId);
    return next();
  };
  const handler = sqsStepHandler(table, { clientConfig, resultsQueueUrl, logger: silentLogger, around });
  for (const step of steps) {
    const queueUrl = tasksQueueUrls.get(step) ?? '';
    const worker = new LocalEventSourceMapping({
      clientConfig,
      queueUrl,
      handler,
      functionName: step,
      timeoutMs: 10_000,
      logger: silentLogger,
    });
    worker.start();
    workers.push(worker);
  }
}

function boot(store: InMemoryStateStore, options: SqsTransportOptions & { readonly attach?: boolean } = {}) {
  const { attach = true, ...transportOptions } = options;
  const transport = new SqsTransport({ clientConfig: sqs.clientConfig, waitTimeSeconds: 1, logger: silentLogger, ...transportOptions });
  transports.push(transport);
  const engine = new WorkflowEngine({ store, transport });
  if (attach) transport.attach(engine);
  return { engine, transport };
}

const register = (engine: WorkflowEngine) => engine.register('workflow', '1', stepsInARow(STEPS));

/** Messages on a queue, hidden ones counted. */
async function depth(queueUrl: string): Promise<number> {
  const operations = openSqs({ clientConfig: sqs.clientConfig });
  try {
    const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
    return Object.values(await sqsApi(operations).queueAttributes(queueUrl, names)).reduce((sum, count) => sum + Number(count), 0);
  } finally {
    operations.destroy();
  }
}

async function expectAllCompleted(engine: WorkflowEngine, store: InMemoryStateStore, withinMs: number): Promise<void> {
  await Promise.allSettled(RUNS.map((runId) => engine.waitForRun(runId, { until: 'terminal', timeoutMs: withinMs })));
  await engine.drain();
  const statuses = await Promise.all(RUNS.map(async (runId) => (await store.getRun(runId))?.status));
  expect(statuses.filter((status) => status !== 'completed')).toEqual([]);
}

/**
 * Engine A starts all runs and is closed; then the workers of their first step answer, so that all results wait in the
 * queue.
 */
async function resultsWaiting(store: InMemoryStateStore): Promise<void> {
  const { engine, transport } = boot(store);
  register(engine);
  for (const runId of RUNS) await engine.start('workflow', { runId }, runId);
  await Promise.all(RUNS.map((runId) => engine.waitForRun(runId)));
  await engine.drain();
  await transport.close();
  startWorkers('test.one');
  await vi.waitFor(async () => expect(await depth(resultsQueueUrl)).toBe(RUNS.length), { timeout: 20_000, interval: 50 });
  startWorkers('test.two', 'test.three');
}

describe.each([
  ['fast', () => new InMemoryStateStore()],
  ['slow', () => slowStore(42)],
])('results that wait while an engine boots over a %s store', (_speed, makeStore) => {
  it('results go on where the workflows are registered right after the engine was made', async () => {
    const store = makeStore();
    await resultsWaiting(store);
    const { engine } = boot(store);
    register(engine);
    await expectAllCompleted(engine, store, PROMPT_MS);
  });

  it('results go on with a transport that is not attached', async () => {
    const store = makeStore();
    await resultsWaiting(store);
    const { engine } = boot(store, { attach: false });
    register(engine);
    await expectAllCompleted(engine, store, PROMPT_MS);
  });

  it('results wait for start() with autoStart: false, where the workflows are registered late', async () => {
    const store = makeStore();
    await resultsWaiting(store);
    const { engine, transport } = boot(store, { autoStart: false });
    // As long as a NestJS app takes to boot.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await depth(resultsQueueUrl)).toBe(RUNS.length);
    register(engine);
    transport.start();
    await expectAllCompleted(engine, store, PROMPT_MS);
  });

  it('a result that was rejected for want of a workflow goes on when it is redelivered (attached, started too early)', async () => {
    const store = makeStore();
    await resultsWaiting(store);
    const { engine } = boot(store);
    await new Promise((resolve) => setTimeout(resolve, 500));
    register(engine);
    await expectAllCompleted(engine, store, AFTER_A_KILL_MS);
  });
});

it.each([
  ['fast', () => new InMemoryStateStore()],
  ['slow', () => slowStore(7)],
])('an engine over a %s store that is killed with results in flight has a successor', async (_speed, makeStore) => {
  const store = makeStore();
  const life = mortal(store);
  const first = boot(life.store);
  register(first.engine);
  startWorkers(...STEPS);
  for (const runId of RUNS) await first.engine.start('workflow', { runId }, runId);
  // In the midst of it: some are through, some are not.
  await vi.waitFor(
    async () => {
      const statuses = await Promise.all(RUNS.map(async (runId) => (await store.getRun(runId))?.status));
      expect(statuses).toContain('completed');
      expect(statuses).toContain('suspended');
    },
    { timeout: 20_000, interval: 1 },
  );
  life.end();
  await first.transport.close({ timeoutMs: 0 });
  const second = boot(store);
  register(second.engine);
  await vi.waitFor(async () => expect(await waitingForNothing(store)).toEqual([]), { timeout: AFTER_A_KILL_MS, interval: 250 });
  const statuses = await Promise.all(RUNS.map(async (runId) => (await store.getRun(runId))?.status));
  expect(statuses.filter((status) => status === 'completed').length).toBeGreaterThan(RUNS.length / 2);
});

/**
 * Runs that nothing will ever continue, although all their results came. Not counted are those that died before a task
 * of theirs was sent: no transport knows of these, the engine itself recovers them in its time (`recoverIncomplete`,
 * `remoteRedispatchMs`).
 */
async function waitingForNothing(store: InMemoryStateStore): Promise<string[]> {
  const lost = await Promise.all(
    RUNS.map(async (runId) => {
      if ((await store.getRun(runId))?.status === 'completed') return [];
      const steps = await store.listCheckpoints(runId);
      const unsent = steps.length === 0 || steps.some(({ status, stepId }) => status === 'pending' && !answered.has(stepId));
      return unsent ? [] : [runId];
    }),
  );
  return lost.flat();
}

/** A store for a process that can die: from then on no call of it is answered, or comes into effect. */
function mortal(store: InMemoryStateStore): { readonly store: InMemoryStateStore; end(): void } {
  let dead = false;
  const proxy = new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]) => {
        if (dead) return new Promise(() => undefined);
        const answer: unknown = await Reflect.apply(member, target, args);
        return dead ? new Promise(() => undefined) : answer;
      };
    },
  });
  return {
    store: proxy,
    end() {
      dead = true;
    },
  };
}
