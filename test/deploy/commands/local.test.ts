import { existsSync, readFileSync, rmSync } from 'node:fs';
import { GetQueueAttributesCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SqsTransport } from '../../../src/index.ts';
import { localEndpointFile } from '../../../src/serverless/commands/local/endpoint-file.ts';
import { encodeRemoteTask } from '../../../src/wire/remote-task.ts';
import { sls } from '../sls.ts';
import { type LocalRun, makeService, startLocal } from './local-service.ts';

const SERVICE = `service: local-test
plugins: [serverless-esbuild, durable-sqs-lambda/serverless-plugin]
custom:
  durable: { prefix: laptop }
  esbuild: { format: esm, outputFileExtension: .mjs, sourcemap: true }
provider: { name: aws, region: eu-central-1, runtime: nodejs24.x }
functions:
  greet: { handler: greet.handler, environment: { GREETER: Ada }, events: [{ durableStep: test.greet }] }
  fragile: { handler: fragile.handler, events: [{ durableStep: test.fragile }] }
  careful: { handler: careful.handler, events: [{ durableStep: test.careful }] }
  deadLetters: { handler: dead-letters.handler, events: [{ durableDeadLetters: true }] }
`;
const GREET = `import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import { word } from './word';
const greeter = process.env.GREETER;
console.log('loading the greeter');
export const handler = sqsStepHandler('test.greet', async ({ name }: { name: string }) => \`\${greeter}: \${word} \${name}\`);
`;
const CAREFUL = `import { sqsStepHandler } from 'durable-sqs-lambda/worker';
export const handler = sqsStepHandler('test.careful', async () => {
  throw new Error('no greeting today');
});
`;
const FRAGILE = "export const handler = async () => { throw new Error('fragile'); };\n";
const FIXED = `import { sqsStepHandler } from 'durable-sqs-lambda/worker';
export const handler = sqsStepHandler('test.fragile', async () => 'fixed');
`;

const service = makeService('local', {
  'serverless.yml': SERVICE,
  'greet.ts': GREET,
  'word.ts': "export const word = 'hello';\n",
  'fragile.ts': FRAGILE,
  'careful.ts': CAREFUL,
  'dead-letters.ts': "import { sqsDeadLetterHandler } from 'durable-sqs-lambda/worker';\nexport const handler = sqsDeadLetterHandler();\n",
});
const endpointFile = localEndpointFile(service.dir);

let local: LocalRun;
let client: SQSClient;
let transport: SqsTransport;
let engine: WorkflowEngine;
let urls: Record<string, string>;

beforeAll(async () => {
  local = startLocal(service.dir, ['--port', '0', '--visibility-timeout', '1', '--max-receive-count', '2']);
  await local.event({ event: 'ready' });
  const { endpoint }: { endpoint: string } = JSON.parse(readFileSync(endpointFile, 'utf8'));
  const clientConfig = { endpoint, region: 'eu-central-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
  client = new SQSClient(clientConfig);
  transport = new SqsTransport({ clientConfig, prefix: 'laptop', waitTimeSeconds: 1 });
  engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
  transport.attach(engine);
  for (const step of ['test.greet', 'test.fragile', 'test.careful']) engine.register(step, '1', (ctx, input) => ctx.step(step, input));
  urls = Object.fromEntries(
    ['tasks', 'parked'].flatMap((kind) =>
      ['greet', 'fragile'].map((step) => [`${kind} ${step}`, `${endpoint}/000000000000/laptop-${kind}-test--${step}`]),
    ),
  );
});
afterAll(async () => {
  await transport?.close();
  client?.destroy();
  if (local.child.exitCode === null) await local.stop();
  rmSync(service.dir, { recursive: true, force: true });
});

async function outcome(step: string, runId: string) {
  await engine.start(step, { name: runId }, runId);
  return engine.waitForRun(runId, { until: 'terminal', timeoutMs: 60_000 });
}

const deadLetters = (...args: readonly string[]) => sls(service.dir, ['durable', 'dead-letters', '--local', '--json', ...args]);
/** Messages that are parked, without the deploy tool: it takes a second to start. */
const parked = async (step: string): Promise<number> => {
  const command = new GetQueueAttributesCommand({ QueueUrl: urls[`parked ${step}`], AttributeNames: ['All'] });
  return Number((await client.send(command)).Attributes?.['ApproximateNumberOfMessages']);
};
const parkedOf = async (step: string): Promise<Record<string, unknown>[]> => {
  const { steps } = JSON.parse((await deadLetters('--step', step)).stdout);
  return steps[0].messages;
};

describe('sls durable local', () => {
  it('runs the steps of an engine in another process', async () => {
    expect(await outcome('test.greet', 'run-1')).toMatchObject({ status: 'completed', output: 'Ada: hello run-1' });
    expect(await local.event({ event: 'invoked', function: 'greet', source: 'test.greet' })).toMatchObject({ records: 1, failed: 0 });
  });

  it('runs the new code after an edit of an imported file', async () => {
    const before = local.events.length;
    service.write('word.ts', "export const word = 'moin';\n");
    await local.event({ event: 'reloaded', function: 'greet' }, before);
    expect(await outcome('test.greet', 'run-2')).toMatchObject({ output: 'Ada: moin run-2' });
  });

  it('keeps the last version that worked after an edit that does not build', async () => {
    const before = local.events.length;
    service.write('word.ts', 'export const word = ;\n');
    const { problem } = await local.event({ event: 'broken', function: 'greet', keeps: true }, before);
    expect(problem).toContain('word.ts:1:20');
    expect(await outcome('test.greet', 'run-3')).toMatchObject({ output: 'Ada: moin run-3' });
  });

  it('prints the source line where a step threw', async () => {
    expect(await outcome('test.careful', 'run-careful')).toMatchObject({ status: 'failed' });
    expect(local.stderr()).toMatch(/Error: no greeting today\n.*careful\.ts:3:9/);
  });

  it('serves the other commands with --local', async () => {
    const { code, stdout } = await sls(service.dir, ['durable', 'queues', '--local', '--json']);
    expect(code).toBe(0);
    const queues: { name: string }[] = JSON.parse(stdout);
    expect(queues.map(({ name }) => name)).toContain('laptop-tasks-test--greet');
    expect(queues).toHaveLength(11);
  });
});

describe('a dead letter whose failure the engine was told', () => {
  it('a dead letter that the engine was told of is listed, saved, refused a retry, and retried with --force', async () => {
    expect(await outcome('test.fragile', 'run-4')).toMatchObject({ status: 'failed' });
    const [letter] = await parkedOf('test.fragile');
    expect(letter).toMatchObject({
      runId: 'run-4',
      reason: 'receive count used up',
      resultSent: true,
      queue: 'laptop-parked-test--fragile',
    });

    expect((await deadLetters('--save', 'events/fragile.json', '--step', 'test.fragile')).code).toBe(0);
    service.write('fragile.ts', FIXED);
    const fixed = await sls(service.dir, ['invoke', 'local', '-f', 'fragile', '-p', 'events/fragile.json']);
    expect(fixed.stdout).toContain('fixed');
    expect(fixed.code).toBe(0);

    await local.event({ event: 'reloaded', function: 'fragile' });
    const refused = await deadLetters('--retry', '--step', 'test.fragile');
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.stdout)).toMatchObject([{ outcome: 'refused', runId: 'run-4' }]);
    expect(await parked('fragile')).toBe(1);

    const before = local.events.length;
    const forced = await deadLetters('--retry', '--force', '--step', 'test.fragile');
    expect(forced.code).toBe(0);
    await local.event({ event: 'invoked', function: 'fragile', source: 'test.fragile', outcome: 'success' }, before);
    expect(await parked('fragile')).toBe(0);
  });
});

describe('a dead letter that the engine was not told of', () => {
  it('one dead letter is retried by its id, without --force', async () => {
    const task = { runId: 'run-5', seq: 0, name: 'test.greet', stepId: 'run-5:0', group: 'test.greet', input: { name: 'x' }, attempt: 1 };
    for (const name of ['first', 'second']) {
      await client.send(
        new SendMessageCommand({
          QueueUrl: urls['parked greet'],
          MessageBody: encodeRemoteTask({ ...task, input: { name } }),
          MessageAttributes: {
            tenant: { DataType: 'String', StringValue: 'acme' },
            'durable-parked': { DataType: 'String', StringValue: JSON.stringify({ reason: 'receive count used up', resultSent: false }) },
          },
        }),
      );
    }
    const [message] = await parkedOf('test.greet');
    const before = local.events.length;
    const { code } = await deadLetters('--retry', '--id', String(message?.['messageId']));
    expect(code).toBe(0);
    await local.event({ event: 'invoked', function: 'greet', outcome: 'success' }, before);
    expect(await parked('greet')).toBe(1);
  });

  it('dead letters are purged only with --yes where there is no terminal', async () => {
    const refused = await deadLetters('--purge');
    expect(refused.code).toBe(1);
    expect(refused.stdout + refused.stderr).toContain('--yes deletes 1 message of laptop-parked-test--greet');
    expect(await parked('greet')).toBe(1);
    expect((await deadLetters('--purge', '--yes')).code).toBe(0);
    expect(await parked('greet')).toBe(0);
  });
});

describe('sls durable doctor', () => {
  it('examines the queues of "sls durable local", and finds the receive count of the command line', async () => {
    const { code, stdout } = await sls(service.dir, ['durable', 'doctor', '--local', '--json', '--live']);
    const { findings }: { findings: { id: string; severity: string }[] } = JSON.parse(stdout);
    expect(findings.map(({ id }) => id)).toEqual(Array(3).fill('max-receive-count-low'));
    expect(code).toBe(0);
  });
});

describe('Ctrl-C', () => {
  it('Ctrl-C before it is ready ends it at once, without an error', async () => {
    const never = makeService('local-never-ready', {
      'serverless.yml': `service: never-ready
plugins: [serverless-esbuild, durable-sqs-lambda/serverless-plugin]
custom: { esbuild: { format: esm, outputFileExtension: .mjs } }
provider: { name: aws, region: eu-central-1, runtime: nodejs24.x }
functions:
  careful: { handler: careful.handler, events: [{ durableStep: test.careful }] }
  endless: { handler: endless.handler, events: [{ durableStep: test.endless }] }
`,
      'careful.ts': CAREFUL,
      'endless.ts': `await new Promise(() => setInterval(() => {}, 1_000));\n${FRAGILE}`,
    });
    try {
      const starting = startLocal(never.dir, ['--port', '0']);
      await starting.event({ event: 'loaded' });
      expect(await starting.stop()).toBe(130);
      expect(starting.stderr()).toBe('');
    } finally {
      rmSync(never.dir, { recursive: true, force: true });
    }
  });

  it('Ctrl-C ends it with exit code 0, and removes the endpoint file', async () => {
    await transport.close();
    expect(await local.stop()).toBe(0);
    await vi.waitFor(() => expect(existsSync(endpointFile)).toBe(false));
  });
});
