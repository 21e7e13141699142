import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { GetQueueAttributesCommand, SendMessageBatchCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import type { SQSEvent } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SqsTransport, s3PayloadStore } from '../../../src/index.ts';
import { messageGroupOfRun } from '../../../src/topology/message-group.ts';
import { encodeRemoteTask } from '../../../src/wire/remote-task.ts';
import { sls } from '../sls.ts';
import { type LocalRun, makeService, startLocal } from './local-service.ts';

// A service of FIFO queues with large payloads, a step that is switched off, and settings of the bundler.
const SERVICE = `service: fifo-test
plugins: [serverless-esbuild, durable-sqs-lambda/serverless-plugin]
custom:
  durable: { prefix: line, resultsQueue: { fifo: true }, payloadBucket: true }
  esbuild:
    format: esm
    outputFileExtension: .mjs
    external: ['@aws-sdk/*']
    define: { GREETING: '"moin"' }
    loader: { .txt: text }
    plugins: plugins.cjs
    banner: { js: '// ours' }
provider: { name: aws, region: eu-central-1, runtime: nodejs24.x }
functions:
  echo: { handler: echo.handler, timeout: 30, events: [{ durableStep: { name: line.echo, fifo: true } }] }
  frail: { handler: frail.handler, events: [{ durableStep: { name: line.frail, fifo: true } }] }
  paused: { handler: echo.handler, events: [{ durableStep: { name: line.paused, enabled: false } }] }
  deadLetters: { handler: dead-letters.handler, events: [{ durableDeadLetters: { batchSize: 1 } }] }
`;
const service = makeService('fifo', {
  'serverless.yml': SERVICE,
  'echo.ts': `import { s3PayloadStore, sqsStepHandler } from 'durable-sqs-lambda/worker';
import planet from 'virtual:planet';
import word from './word.txt';
const payloadStore = s3PayloadStore();
export const handler = sqsStepHandler('line.echo', async (input: unknown) => ({ said: \`\${GREETING} \${word} \${planet}\`, input }), { payloadStore });
`,
  'frail.ts': "export const handler = async () => { throw new Error('frail'); };\n",
  'dead-letters.ts': "import { sqsDeadLetterHandler } from 'durable-sqs-lambda/worker';\nexport const handler = sqsDeadLetterHandler();\n",
  'word.txt': 'dear',
  'input.json': '{"amount":7}',
  'plugins.cjs': `module.exports = [{ name: 'planet', setup(build) {
  build.onResolve({ filter: /^virtual:planet$/ }, ({ path }) => ({ path, namespace: 'planet' }));
  build.onLoad({ filter: /.*/, namespace: 'planet' }, () => ({ contents: "export default 'world'" }));
} }];
`,
});

let local: LocalRun;
let client: SQSClient;
let transport: SqsTransport;
let engine: WorkflowEngine;
let queues: Record<string, string>;
let variables: Record<string, string>;

beforeAll(async () => {
  local = startLocal(service.dir, ['--port', '0', '--visibility-timeout', '1', '--max-receive-count', '2']);
  const ready: { queues: Record<string, string>; environment: string[] } = JSON.parse(
    JSON.stringify(await local.event({ event: 'ready' })),
  );
  queues = ready.queues;
  variables = Object.fromEntries(ready.environment.map((line) => /^export (\w+)=(.*)$/.exec(line)?.slice(1) ?? []));
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const clientConfig = { endpoint: variables['AWS_ENDPOINT_URL_SQS'] ?? '', region: variables['AWS_REGION'] ?? '', credentials };
  client = new SQSClient(clientConfig);
  // An engine in the shell that the lines were pasted into needs no more than these two.
  const payloadStore = s3PayloadStore({
    bucket: variables['DURABLE_PAYLOAD_BUCKET'],
    clientConfig: { ...clientConfig, endpoint: variables['AWS_ENDPOINT_URL_S3'] ?? '' },
  });
  transport = new SqsTransport({ clientConfig, prefix: 'line', waitTimeSeconds: 1, fifo: true, payloadStore });
  engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
  transport.attach(engine);
  for (const step of ['line.echo', 'line.frail']) engine.register(step, '1', (ctx, input) => ctx.step(step, input));
});
afterAll(async () => {
  await transport?.close();
  client?.destroy();
  if (local.child.exitCode === null) await local.stop();
  rmSync(service.dir, { recursive: true, force: true });
});

async function outcome(step: string, runId: string, input: unknown) {
  await engine.start(step, input, runId);
  return engine.waitForRun(runId, { until: 'terminal', timeoutMs: 60_000 });
}

const depth = async (queue: string): Promise<number> => {
  const command = new GetQueueAttributesCommand({ QueueUrl: queues[queue], AttributeNames: ['All'] });
  const { Attributes = {} } = await client.send(command);
  return Number(Attributes['ApproximateNumberOfMessages']) + Number(Attributes['ApproximateNumberOfMessagesNotVisible']);
};

describe('sls durable local of a FIFO service', () => {
  it("completes runs, and builds with the service's own define, loader, external and plugins", async () => {
    expect(await outcome('line.echo', 'run-1', 1)).toMatchObject({ status: 'completed', output: { said: 'moin dear world', input: 1 } });
    expect(Object.keys(queues).filter((name) => name.endsWith('.fifo'))).toHaveLength(8);
  });

  it('stores payloads that are too large for a message in its own bucket', async () => {
    const large = 'large '.repeat(100_000);
    const { status, output } = await outcome('line.echo', 'run-large', large);
    expect(status).toBe('completed');
    expect(output).toHaveProperty('input.length', large.length);
    expect(variables).toMatchObject({ DURABLE_PAYLOAD_BUCKET: 'line-payloads', AWS_ENDPOINT_URL_S3: variables['AWS_ENDPOINT_URL_SQS'] });
  });

  it('names a mapping that is disabled, receives none of its messages, and names settings that are not used', async () => {
    expect(await local.event({ event: 'off' })).toEqual({ event: 'off', function: 'paused', source: 'line.paused' });
    const task = { runId: 'waits', seq: 0, name: 'line.paused', stepId: 'waits:0', group: 'line.paused', input: 1, attempt: 1 };
    await client.send(new SendMessageCommand({ QueueUrl: queues['line-tasks-line--paused'], MessageBody: encodeRemoteTask(task) }));
    await outcome('line.echo', 'run-2', 1);
    expect(await depth('line-tasks-line--paused')).toBe(1);
    expect(local.events.filter(({ source }) => source === 'line.paused')).toHaveLength(1);
    expect(local.stderr()).toContain('custom.esbuild.banner: not used here');
  });

  it('serves commands with --local after ".serverless" was emptied', async () => {
    rmSync(join(service.dir, '.serverless'), { recursive: true, force: true });
    const { code, stdout } = await sls(service.dir, ['durable', 'queues', '--local']);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^queue +visible +in flight +delayed +url$/);
    expect(lines).toHaveLength(12);
    const paused = lines.find((line) => line.startsWith('line-tasks-line--paused '));
    expect(paused).toMatch(/ 1 +0 +0 +http/);
    expect(paused).toContain(`${variables['AWS_ENDPOINT_URL_SQS']}/000000000000/line-tasks-line--paused`);
  });
});

describe('dead letters of a FIFO step', () => {
  it('parks dead letters in the group of their run', async () => {
    expect(await outcome('line.frail', 'run-3', 1)).toMatchObject({ status: 'failed' });
    await vi.waitFor(async () => expect(await depth('line-parked-line--frail.fifo')).toBe(1), { timeout: 10_000 });
    expect(await local.event({ event: 'invoked', source: 'line.frail (dead letters)' })).toMatchObject({ records: 1, outcome: 'success' });
  });

  it('dead letters come in batches of the size in durableDeadLetters', async () => {
    const Entries = Array.from({ length: 10 }, (_, index) => ({ Id: String(index), MessageBody: 'not a task' }));
    await client.send(new SendMessageBatchCommand({ QueueUrl: queues['line-dead-letters-line--paused'], Entries }));
    const source = 'line.paused (dead letters)';
    const records = () => local.events.filter((event) => event['source'] === source).map((event) => event['records']);
    await vi.waitFor(() => expect(records()).toEqual(Array.from({ length: 10 }, () => 1)), 30_000);
    expect(await depth('line-parked-line--paused')).toBe(10);
  });

  it('retries all messages of one group in one command', async () => {
    for (const seq of [0, 1, 2]) {
      const task = { runId: 'run-4', seq, name: 'line.echo', stepId: `run-4:${seq}`, group: 'line.echo', input: seq, attempt: 1 };
      const note = { DataType: 'String', StringValue: JSON.stringify({ reason: 'receive count used up', resultSent: false }) };
      await client.send(
        new SendMessageCommand({
          QueueUrl: queues['line-parked-line--echo.fifo'],
          MessageBody: encodeRemoteTask(task),
          MessageAttributes: { 'durable-parked': note },
          MessageGroupId: messageGroupOfRun('run-4'),
          MessageDeduplicationId: `parked-${seq}`,
        }),
      );
    }
    const before = local.events.length;
    const { code, stdout, stderr } = await sls(service.dir, ['durable', 'dead-letters', '--local', '--retry', '--step', 'line.echo']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('3 of 3 sent back') });
    expect(stdout.match(/^sent .* line\.echo {2}run-4$/gm)).toHaveLength(3);
    await vi.waitFor(async () => {
      const invoked = local.events.slice(before).filter(({ event, source }) => event === 'invoked' && source === 'line.echo');
      expect(invoked.reduce((sum, { deleted }) => sum + Number(deleted), 0)).toBe(3);
    }, 30_000);
    expect(await depth('line-parked-line--echo.fifo')).toBe(0);
  });
});

describe('sls durable event of a FIFO step', () => {
  it('writes tasks of two groups, which sls invoke local runs', async () => {
    const args = ['--step', 'line.echo', '--input-file', 'input.json', '--count', '2', '--run-id', 'try', '--out', 'events/echo.json'];
    const { code, stdout, stderr } = await sls(service.dir, ['durable', 'event', ...args]);
    expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: 'events/echo.json: 2 records\n' });
    expect(stderr).toContain('try it: serverless invoke local -f echo -p events/echo.json');
    const { Records }: SQSEvent = JSON.parse(readFileSync(join(service.dir, 'events/echo.json'), 'utf8'));
    expect(Records.map(({ attributes }) => attributes.MessageGroupId)).toEqual(['try-1', 'try-2']);
    const invoked = await sls(service.dir, ['invoke', 'local', '-f', 'echo', '-p', 'events/echo.json']);
    expect(invoked.stdout.match(/"said":"moin dear world","input":\{"amount":7\}/g)).toHaveLength(2);
    expect(invoked.code).toBe(0);
  });
});
