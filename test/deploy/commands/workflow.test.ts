import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SqsTransport } from '../../../src/index.ts';
import { localEndpointFile } from '../../../src/serverless/commands/local/endpoint-file.ts';
import { sls } from '../sls.ts';
import { type LocalRun, makeService, startLocal } from './local-service.ts';

const SERVICE = `service: workflow-test
plugins: [serverless-esbuild, durable-sqs-lambda/serverless-plugin]
custom:
  durable: { prefix: flows }
  esbuild: { format: esm, outputFileExtension: .mjs, sourcemap: true }
provider: { name: aws, region: eu-central-1, runtime: nodejs24.x }
functions:
  checkout: { handler: checkout.handler, events: [{ durableWorkflow: checkout }, { durableWorkflow: parent }] }
  fragile: { handler: fragile.handler, events: [{ durableWorkflow: fragile }] }
  charge: { handler: charge.handler, events: [{ durableStep: payments.charge }] }
  deadLetters: { handler: dead-letters.handler, events: [{ durableDeadLetters: true }] }
`;
const CHECKOUT = `import { sqsWorkflowHandler } from 'durable-sqs-lambda/workflow';
export const handler = sqsWorkflowHandler({
  checkout: { '1': async (ctx, { amount }: { amount: number }) => ({ charged: await ctx.step<number>('payments.charge', { amount }) }) },
  parent: { '1': async (ctx) => ctx.child('fragile', {}) },
});
`;
const CHARGE = `import { sqsStepHandler } from 'durable-sqs-lambda/worker';
export const handler = sqsStepHandler('payments.charge', async ({ amount }: { amount: number }) => amount * 100);
`;
const FRAGILE = `import { sqsWorkflowHandler } from 'durable-sqs-lambda/workflow';
export const handler = sqsWorkflowHandler('fragile', '1', () => process.exit(1));
`;

const service = makeService('workflow', {
  'serverless.yml': SERVICE,
  'checkout.ts': CHECKOUT,
  'charge.ts': CHARGE,
  'fragile.ts': FRAGILE,
  'dead-letters.ts': "import { sqsDeadLetterHandler } from 'durable-sqs-lambda/worker';\nexport const handler = sqsDeadLetterHandler();\n",
});

let local: LocalRun;
let client: SQSClient;
let transport: SqsTransport;
let engine: WorkflowEngine;
let parkedUrl: string;

beforeAll(async () => {
  local = startLocal(service.dir, ['--port', '0', '--visibility-timeout', '1', '--max-receive-count', '2']);
  await local.event({ event: 'ready' });
  const { endpoint }: { endpoint: string } = JSON.parse(readFileSync(localEndpointFile(service.dir), 'utf8'));
  const clientConfig = { endpoint, region: 'eu-central-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
  client = new SQSClient(clientConfig);
  parkedUrl = `${endpoint}/000000000000/flows-parked-fragile`;
  transport = new SqsTransport({ clientConfig, prefix: 'flows', waitTimeSeconds: 1 });
  engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
  transport.attach(engine);
  for (const name of ['checkout', 'parent', 'fragile']) engine.remote(name, { group: name });
});
afterAll(async () => {
  await transport?.close();
  client?.destroy();
  if (local.child.exitCode === null) await local.stop();
  rmSync(service.dir, { recursive: true, force: true });
});

async function outcome(workflow: string, runId: string, input: unknown = {}) {
  await engine.start(workflow, input, runId);
  return engine.waitForRun(runId, { until: 'terminal', timeoutMs: 60_000 });
}

describe('sls durable local', () => {
  it('runs the turns of a workflow, and says what each came to', async () => {
    expect(await outcome('checkout', 'run-1', { amount: 3 })).toMatchObject({ status: 'completed', output: { charged: 300 } });
    const turns = await vi.waitFor(() => {
      const found = local.events.filter(({ event, source }) => event === 'invoked' && source === 'checkout');
      expect(found).toHaveLength(2);
      return found;
    });
    expect(turns.map(({ steps }) => steps)).toMatchObject([
      [{ runId: 'run-1', outcome: 'waits', waitsFor: ['step payments.charge'] }],
      [{ runId: 'run-1', outcome: 'ok' }],
    ]);
  });

  it('shows the queues of workflows with --local', async () => {
    const { code, stdout } = await sls(service.dir, ['durable', 'queues', '--local', '--json']);
    expect(code).toBe(0);
    const queues: { name: string }[] = JSON.parse(stdout);
    expect(queues.map(({ name }) => name)).toEqual(expect.arrayContaining(['flows-tasks-checkout', 'flows-parked-checkout']));
  });
});

describe('sls durable event and sls invoke local', () => {
  const decisionOf = async (...args: readonly string[]) => {
    const made = await sls(service.dir, [
      'durable',
      'event',
      '--step',
      'checkout',
      '--input',
      '{"amount":3}',
      '--out',
      'turn.json',
      ...args,
    ]);
    expect(made.stderr).toContain('try it: serverless invoke local -f checkout -p turn.json');
    const replayed = await sls(service.dir, ['invoke', 'local', '-f', 'checkout', '-p', 'turn.json']);
    expect(replayed.code).toBe(0);
    const line = replayed.stdout.split('\n').find((text) => text.startsWith('{"taskId"'));
    return JSON.parse(line ?? 'null');
  };

  it('print the decision of the first turn of a run', async () => {
    expect(await decisionOf('--run-id', 'r')).toMatchObject({
      taskId: 'r:wf:local',
      runId: 'r',
      status: 'continue',
      commands: [{ kind: 'call', seq: 0, name: 'payments.charge', input: { amount: 3 } }],
    });
  });

  it('print the decision of a later turn, by a history from a file', async () => {
    service.write('history.json', JSON.stringify([{ seq: 0, kind: 'call', name: 'payments.charge', output: 300 }]));
    expect(await decisionOf('--history-file', 'history.json')).toMatchObject({ status: 'completed', output: { charged: 300 } });
  });

  it('say how an event is made, where the function is given the input of the workflow', async () => {
    const run = await sls(service.dir, ['invoke', 'local', '-f', 'checkout', '-d', '{"amount":3}']);
    expect(run.stderr).toContain("of a workflow's input this makes one: serverless durable event --step checkout");
    expect(run.code).toBe(1);
  });
});

describe('a dead turn', () => {
  const deadLetters = (...args: readonly string[]) =>
    sls(service.dir, ['durable', 'dead-letters', '--local', '--json', '--step', 'fragile', ...args]);
  const parked = async () => {
    const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl: parkedUrl, AttributeNames: ['All'] }));
    return Number(Attributes?.['ApproximateNumberOfMessages']);
  };

  it('fails its run, and the run whose child that is', async () => {
    const runs = await Promise.all([outcome('fragile', 'run-2'), outcome('parent', 'run-3')]);
    const message = expect.stringContaining('the turn may or may not have run');
    expect(runs).toMatchObject([
      { status: 'failed', error: { code: 'dead_letter', message } },
      { status: 'failed', error: { message } },
    ]);
  });

  it('shows with its run, is saved, replayed, and sent back with --force', async () => {
    await vi.waitFor(async () => expect(await parked()).toBe(2), { timeout: 30_000, interval: 100 });
    const { steps } = JSON.parse((await deadLetters()).stdout);
    const messages: { runId: string }[] = steps[0].messages;
    expect(messages.map(({ runId }) => runId).sort()).toEqual(['run-2', 'run-3.child.0']);

    expect((await deadLetters('--save', 'dead.json')).code).toBe(0);
    const { Records } = JSON.parse(readFileSync(join(service.dir, 'dead.json'), 'utf8'));
    expect(Records).toHaveLength(2);
    service.write('fragile.ts', FRAGILE.replace('process.exit(1)', "'fixed'"));
    const replayed = await sls(service.dir, ['invoke', 'local', '-f', 'fragile', '-p', 'dead.json']);
    expect(replayed.stdout).toContain('"status":"completed","commands":[],"output":"fixed"');
    expect(replayed.code).toBe(0);

    await local.event({ event: 'reloaded', function: 'fragile' });
    const refused = await deadLetters('--retry');
    expect(JSON.parse(refused.stdout)).toMatchObject([{ outcome: 'refused' }, { outcome: 'refused' }]);
    const forced = await deadLetters('--retry', '--force');
    expect(JSON.parse(forced.stdout)).toMatchObject([{ outcome: 'sent' }, { outcome: 'sent' }]);
    await vi.waitFor(async () => expect(await parked()).toBe(0), { timeout: 30_000, interval: 100 });
  });
});

describe('sls durable doctor', () => {
  it('finds nothing in the template of a service of workflows', async () => {
    expect((await sls(service.dir, ['package'])).code).toBe(0);
    const { code, stdout } = await sls(service.dir, ['durable', 'doctor', '--offline', '--strict', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ findings: [] });
    expect(code).toBe(0);
  });
});
