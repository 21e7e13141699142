import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { SQSClient } from '@aws-sdk/client-sqs';
import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { type PayloadStore, SqsTransport, s3PayloadStore, sqsStepHandler } from '../../src/index.ts';
import { createQueues, LocalEventSourceMapping } from '../../src/local/index.ts';
import { depth, until } from '../integration/local/queues.ts';
import { capturingLogger } from '../support/capturing-logger.ts';
import { type Moto, startMoto } from './moto.ts';
import { awsEnvironment, startPython } from './python.ts';

const STEP = 'py_large';
const bucket = 'bodies';
const INPUT = 'naïve 日本 😀 '.repeat(20_000);

let moto: Moto;
let client: SQSClient;
let s3: S3Client;
let payloadStore: PayloadStore;

beforeAll(async () => {
  moto = await startMoto();
  s3 = new S3Client({ ...config(), forcePathStyle: true });
  client = new SQSClient(config());
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  payloadStore = s3PayloadStore({ bucket, client: s3 });
});

afterAll(async () => {
  client?.destroy();
  s3?.destroy();
  await moto?.stop();
});

const config = () => ({
  endpoint: moto.endpoint,
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
});

const objects = async () => (await s3.send(new ListObjectsV2Command({ Bucket: bucket }))).Contents?.map(({ Key = '' }) => Key) ?? [];

/** An engine that stores large bodies, on queues of its own. */
async function engineOn({ onTestFinished }: TestContext) {
  const prefix = `big-${randomUUID().slice(0, 8)}`;
  const { resultsQueueUrl, tasksQueueUrls } = await createQueues({ clientConfig: config(), steps: [STEP], prefix });
  const transport = new SqsTransport({ clientConfig: config(), prefix, waitTimeSeconds: 1, logger: capturingLogger(), payloadStore });
  onTestFinished(() => transport.close());
  const engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
  transport.attach(engine);
  engine.register('large', '1', (ctx, input) => ctx.step(STEP, input));
  const start = () => engine.start('large', INPUT, prefix);
  const ended = () => engine.waitForRun(prefix, { until: 'terminal', timeoutMs: 30_000 });
  return { prefix, resultsQueueUrl, tasksQueueUrl: tasksQueueUrls.get(STEP) ?? '', start, ended };
}

describe('a step of large input and output', () => {
  it('runs on a Python worker with the extended client', async (test) => {
    const { prefix, tasksQueueUrl, start, ended } = await engineOn(test);
    const before = (await objects()).length;
    const python = startPython('worker.py', [STEP], { ...awsEnvironment(moto.endpoint), PREFIX: prefix, EXTENDED_CLIENT_BUCKET: bucket });
    test.onTestFinished(() => python.stop());
    await start();
    const { status, output } = await ended();
    expect(status, python.stderr()).toBe('completed');
    expect(output === INPUT + INPUT).toBe(true);
    // The task's under our keys, the result's under a key of the extended client.
    expect(await objects()).toHaveLength(before + 2);
    await until(async () => expect(await depth(client, tasksQueueUrl)).toBe(0));
  });

  it('runs on our Lambda worker', async (test) => {
    const { prefix, resultsQueueUrl, tasksQueueUrl, start, ended } = await engineOn(test);
    const logger = capturingLogger();
    const handler = sqsStepHandler(STEP, async (input: unknown) => `${input}${input}`, {
      clientConfig: config(),
      resultsQueueUrl,
      logger,
      payloadStore,
    });
    const mapping = new LocalEventSourceMapping({
      clientConfig: config(),
      queueUrl: tasksQueueUrl,
      functionName: 'large',
      handler,
      logger,
    });
    test.onTestFinished(() => mapping.stop());
    mapping.start();
    await start();
    const { status, output } = await ended();
    expect(status).toBe('completed');
    expect(output === INPUT + INPUT).toBe(true);
    const keys = (await objects()).filter((key) => key.includes(`/${prefix}/`)).map((key) => key.split('/').slice(0, 3));
    expect(keys.sort()).toEqual([
      ['durable', 'result', prefix],
      ['durable', 'task', prefix],
    ]);
  });
});

describe('known limits', () => {
  it('a Python worker without the extended client is ended by a pointer, the task stays', async (test) => {
    const { prefix, tasksQueueUrl, start } = await engineOn(test);
    await start();
    const python = startPython('worker.py', [STEP], { ...awsEnvironment(moto.endpoint), PREFIX: prefix });
    expect(await python.ended).toBe(1);
    expect(python.stderr()).toContain('TypeError');
    expect(await depth(client, tasksQueueUrl)).toBe(1);
  });
});
