import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { sqsStepHandler } from '../../src/index.ts';
import { createQueues, LocalEventSourceMapping } from '../../src/local/index.ts';
import { isRecord } from '../../src/wire/shape.ts';
import { silentLogger } from '../support/local-cloud.ts';
import { type StoreCall, type StoreServer, serveStore } from '../support/remote-store.ts';
import { startTestSqs, type TestSqs } from '../support/sqs-server.ts';

const STEP = 'payments.charge-card';
const RUNS = Array.from({ length: 60 }, (_, index) => `order-${index + 1}`);

const root = new URL('../../', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'readme-engine-'));
const store = new InMemoryStateStore();
let sqs: TestSqs;
let stores: StoreServer;
let worker: LocalEventSourceMapping;
/** The store call at which the engine is killed: SQS and everybody else find what it had written by then. */
let fatalCall: ((call: StoreCall) => boolean) | undefined;
/** The engine's process, and what it wrote to stderr. */
let engine: ChildProcess | undefined;
let complaints = '';

/** README's engine, with a store that outlives it, and with windows that a test can wait for. */
function readmeEngine(): string {
  const readme = readFileSync(new URL('README.md', root), 'utf8');
  const code = /^```ts\n(\/\/ engine\.mts\n.*?)^```$/ms.exec(readme)?.[1] ?? '';
  const replacements: readonly (readonly [string, string])[] = [
    ['new InMemoryStateStore()', `remoteStore('${stores.url}')`],
    ['reconcileMs: 60_000, remoteRedispatchMs: 900_000', 'reconcileMs: 5_000, remoteRedispatchMs: 8_000'],
  ];
  for (const [found] of replacements) expect(code).toContain(found);
  return replacements.reduce(
    (text, [found, replacement]) => text.replace(found, replacement),
    `import { remoteStore } from '${new URL('test/support/remote-store.ts', root)}';\n${code}`,
  );
}

/** Packages are found as in a project of the user's, this one in its sources. */
const HOOKS = `import { registerHooks } from 'node:module';
const own = { 'durable-sqs-lambda/engine': '${new URL('src/transport/index.ts', root)}' };
const parentURL = '${new URL('README.md', root)}';
registerHooks({
  resolve: (name, context, next) => next(own[name] ?? name, /^[@a-z]/.test(name) && !name.includes(':') ? { ...context, parentURL } : context),
});`;

function startEngine(): void {
  const hooks = pathToFileURL(join(folder, 'hooks.mjs')).href;
  const env = {
    PATH: process.env['PATH'],
    AWS_ENDPOINT_URL_SQS: sqs.endpoint,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  };
  engine = spawn(process.execPath, ['--import', hooks, join(folder, 'engine.mts')], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  engine.stderr?.on('data', (text) => {
    complaints += text;
  });
}

async function killEngine(): Promise<void> {
  if (engine === undefined || engine.exitCode !== null || engine.signalCode !== null) return;
  const ended = once(engine, 'exit');
  engine.kill('SIGKILL');
  await ended;
}

/** Leaves runs in the store for an engine of another process to begin, as an API's process would. */
async function enqueue(runIds: readonly string[]): Promise<void> {
  const caller = new WorkflowEngine({ store, runDispatcher: { dispatch: async () => undefined } });
  caller.register('checkout', '1', async () => undefined);
  for (const runId of runIds) await caller.start('checkout', { orderId: runId, amountCents: 1200 }, runId);
}

beforeAll(async () => {
  sqs = await startTestSqs({ embedded: true });
  stores = await serveStore(store, async (call) => {
    if (fatalCall?.(call) !== true) return;
    fatalCall = undefined;
    await killEngine();
  });
  // The region of README's serverless.yml and engine.
  const clientConfig = { ...sqs.clientConfig, region: 'eu-central-1' };
  const { resultsQueueUrl, tasksQueueUrls } = await createQueues({ clientConfig, prefix: 'durable-dev', steps: [STEP] });
  const charge = ({ orderId }: { readonly orderId: string }) => ({ chargeId: `charge for ${orderId}` });
  worker = new LocalEventSourceMapping({
    clientConfig,
    queueUrl: tasksQueueUrls.get(STEP) ?? '',
    handler: sqsStepHandler(STEP, charge, { clientConfig, resultsQueueUrl, logger: silentLogger }),
    functionName: 'chargeCard',
    timeoutMs: 3_000,
    logger: silentLogger,
  });
  worker.start();
  writeFileSync(join(folder, 'hooks.mjs'), HOOKS);
  writeFileSync(join(folder, 'engine.mts'), readmeEngine());
});

afterAll(async () => {
  await killEngine();
  await worker?.stop();
  await stores?.stop();
  await sqs?.stop();
  rmSync(folder, { recursive: true });
});

const patchOf = ({ args }: StoreCall) => (isRecord(args[1]) ? args[1] : {});
const checkpointOf = ({ method, args }: StoreCall) => (method === 'saveCheckpoint' && isRecord(args[0]) ? args[0] : {});

/** Each leaves its run in another state, from which another call of README's `lookAfterRuns` has to bring it back. */
const DEATHS: readonly (readonly [string, (call: StoreCall) => boolean])[] = [
  ['at the beginning of a run', (call) => call.method === 'updateRun' && patchOf(call)['status'] === 'running'],
  ['between a checkpoint and its send', (call) => checkpointOf(call)['kind'] === 'remote' && checkpointOf(call)['status'] === 'pending'],
  ['with a result', (call) => checkpointOf(call)['kind'] === 'remote' && checkpointOf(call)['status'] === 'completed'],
];

it("README's engine completes every run although it is killed at the worst moments", { timeout: 240_000 }, async () => {
  for (const [index, [moment, isFatal]] of DEATHS.entries()) {
    let seen = 0;
    // Not at the first one: some runs are further on than others.
    fatalCall = (call) => {
      if (isFatal(call)) seen += 1;
      return seen > 5;
    };
    startEngine();
    await enqueue(RUNS.slice(index * 20, (index + 1) * 20));
    await vi.waitFor(() => expect(engine?.signalCode, `${moment}\n${complaints}`).toBe('SIGKILL'), { timeout: 60_000, interval: 20 });
  }
  const open = async () => (await store.listRuns({})).filter(({ status }) => status !== 'completed').map(({ id }) => id);
  expect((await open()).length).toBeGreaterThan(0);

  startEngine();
  await vi.waitFor(async () => expect(await open(), complaints).toEqual([]), { timeout: 120_000, interval: 200 });
  const outputs = Object.fromEntries((await store.listRuns({})).map(({ id, output }) => [id, output]));
  expect(outputs).toMatchObject(Object.fromEntries(RUNS.map((id) => [id, `charge for ${id}`])));
});
