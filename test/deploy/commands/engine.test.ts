import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runStarter } from '../../../src/client/index.ts';
import { type StoreServer, serveStore } from '../../support/remote-store.ts';
import { root, sls } from '../sls.ts';
import { type LocalRun, makeService, startLocal } from './local-service.ts';

const serviceFile = (resultsQueue: string, storeUrl: string) => `service: engine-test
plugins: [serverless-esbuild, durable-sqs-lambda/serverless-plugin]
custom:
  durable: { prefix: brain, resultsQueue: ${resultsQueue}, startRuns: { functions: [api] } }
  esbuild: { format: esm, outputFileExtension: .mjs, sourcemap: true }
provider: { name: aws, region: eu-central-1, runtime: nodejs24.x }
functions:
  engine:
    handler: engine.handler
    timeout: 10
    environment: { STORE_URL: '${storeUrl}' }
    events: [{ durableEngine: { maximumConcurrency: 2 } }]
  greet: { handler: greet.handler, events: [{ durableStep: test.greet }] }
  turns: { handler: turns.handler, events: [{ durableWorkflow: turns }] }
  api: { handler: api.handler, events: [{ httpApi: 'POST /greetings' }] }
`;
const ENGINE = `import { WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { sqsEngineHandler } from 'durable-sqs-lambda/engine-function';
import { remoteStore } from '${join(root, 'test/support/remote-store.ts')}';
export const handler = sqsEngineHandler(async (transport) => {
  const engine = new WorkflowEngine({ store: remoteStore(process.env.STORE_URL ?? ''), transport });
  engine.remote('turns', { group: 'turns' });
  engine.register('greeting', '1', async (ctx, input) => {
    const first = await ctx.step('test.greet', input, { retries: 3, backoffMs: 100 });
    await ctx.sleep(1_000);
    return ctx.step('test.greet', { name: first });
  });
  return engine;
});
`;
const GREET = `import { sqsStepHandler } from 'durable-sqs-lambda/worker';
export const handler = sqsStepHandler('test.greet', async ({ name }: { name: string }, step) => {
  if (name === 'Ada' && step.task.attempt === 1) throw new Error('not yet');
  return \`hello \${name}\`;
});
`;
const TURNS = `import { sqsWorkflowHandler } from 'durable-sqs-lambda/workflow';
export const handler = sqsWorkflowHandler('turns', '1', async (ctx, input: { name: string }) => ctx.step('test.greet', input));
`;
const API = `import { startRun } from 'durable-sqs-lambda/client';
export const handler = (input: { name: string }) => startRun({ workflow: 'greeting', input, runId: 'by-api' });
`;

describe.each([
  ['a standard results queue', 'engine-standard', '{}', 'brain-results'],
  ['a FIFO results queue', 'engine-fifo', '{ fifo: true }', 'brain-results.fifo'],
])('sls durable local with an engine function and %s', (_, name, resultsQueue, resultsQueueName) => {
  const service = makeService(name, { 'engine.ts': ENGINE, 'greet.ts': GREET, 'turns.ts': TURNS, 'api.ts': API });
  const store = new InMemoryStateStore();
  const isEnded = async (runId: string) =>
    vi.waitFor(
      async () => {
        const run = await store.getRun(runId);
        if (run?.status !== 'completed' && run?.status !== 'failed') throw new Error(`${runId} is ${run?.status}\n${local.stderr()}`);
        return run;
      },
      { timeout: 60_000, interval: 50 },
    );
  let server: StoreServer;
  let local: LocalRun;
  let ready: Record<string, unknown>;
  let start: ReturnType<typeof runStarter>;
  let variables: Record<string, string>;

  beforeAll(async () => {
    server = await serveStore(store, () => undefined);
    service.write('serverless.yml', serviceFile(resultsQueue, server.url));
    local = startLocal(service.dir, ['--port', '0']);
    ready = await local.event({ event: 'ready' });
    const lines: unknown = ready['environment'];
    const assignments = Array.isArray(lines) ? lines.map((line) => /^export (\w+)=(.*)$/.exec(line)?.slice(1) ?? []) : [];
    variables = Object.fromEntries(assignments);
    const { AWS_ENDPOINT_URL_SQS: endpoint = '', AWS_REGION: region = '', DURABLE_START_RUN_QUEUE_URL: queueUrl } = variables;
    start = runStarter({ clientConfig: { endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }, queueUrl });
  });
  afterAll(async () => {
    if (local.child.exitCode === null) await local.stop();
    await server.stop();
    rmSync(service.dir, { recursive: true, force: true });
  });

  it('names the engine, the functions that only start runs, and every queue', () => {
    expect(ready).toMatchObject({ engine: 'engine', starters: ['api'] });
    const queues: unknown = ready['queues'];
    expect(Object.keys(Object(queues))).toEqual(expect.arrayContaining([resultsQueueName, 'brain-start-run', 'brain-wake-ups']));
  });

  it('ticks at once, as the schedule does each minute', async () => {
    expect(await local.event({ event: 'ticked', function: 'engine' })).toMatchObject({ outcome: 'success' });
  });

  it('a run that was started by a message retries, sleeps and completes: starts, results and wake-ups invoke the engine', async () => {
    await start({ workflow: 'greeting', input: { name: 'Ada' }, runId: 'by-message' });
    expect(await isEnded('by-message')).toMatchObject({ status: 'completed', output: 'hello hello Ada' });
    for (const source of ['starts', 'results', 'wake-ups']) {
      expect(await local.event({ event: 'invoked', function: 'engine', source })).toMatchObject({
        steps: [{ runId: 'by-message', outcome: 'taken' }],
      });
    }
  });

  it("the decisions of a workflow's turns invoke the engine", async () => {
    await start({ workflow: 'turns', input: { name: 'Grace' }, runId: 'by-turns' });
    expect(await isEnded('by-turns')).toMatchObject({ status: 'completed', output: 'hello Grace' });
  });

  it('a function that only starts runs reaches it by sls invoke local, in a shell with the printed lines', async () => {
    const api = await sls(service.dir, ['invoke', 'local', '-f', 'api', '-d', '{"name":"Bob"}'], variables);
    expect(api).toMatchObject({ code: 0 });
    expect(await isEnded('by-api')).toMatchObject({ status: 'completed', output: 'hello hello Bob' });
  });

  it('a database that is away is told with each invocation, and the start comes again', async () => {
    const before = local.events.length;
    await server.stop();
    await start({ workflow: 'greeting', input: { name: 'Eve' }, runId: 'unlucky' });
    const told = await local.event({ event: 'invoked', function: 'engine', source: 'starts' }, before);
    expect(told).toMatchObject({ outcome: 'failure', reason: 'the handler threw StoreUnavailableError' });
    expect(told['steps']).toEqual([{ runId: 'unlucky', outcome: 'redelivered' }]);
    server = await serveStore(store, () => undefined);
  });

  it('Ctrl-C ends it with exit code 0', async () => {
    expect(await local.stop()).toBe(0);
  });
});
