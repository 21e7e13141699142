import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DescribeAlarmsCommand, GetDashboardCommand } from '@aws-sdk/client-cloudwatch';
import { ListEventSourceMappingsCommand, UpdateEventSourceMappingCommand } from '@aws-sdk/client-lambda';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { GetQueueAttributesCommand, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { createUser, depthOf, outputsOf, queueNames, queueUrlOf, required, untilDepth } from './account.ts';
import { layOut } from './deploy.ts';
import { type Child, startChild } from './engine/child-process.ts';
import type { RunEnd } from './engine/commands.ts';
import { type Engine, startEngine } from './engine/engine.ts';
import { ENGINE_USER, WORKER_USER } from './rights/held-rights.ts';
import { testRights } from './rights/test-rights.ts';
import type { Credentials } from './server/aws-server.ts';
import { clientsOf } from './server/clients.ts';

const STACK = 'variants-dev';

const aws = inject('aws');
const clients = clientsOf(aws);
const service = layOut(aws, 'variants', { 'test/deployed/services/variants': '.' });

let outputs: Readonly<Record<string, string>>;
let user: Credentials;
let engine: Engine;
let workerUser: Credentials;
let worker: Child;

const oneStep = (runId: string, step: string, input: unknown) => ({ workflow: 'one-step' as const, runId, input: { step, input } });
/** Runs of one step each, started at once. */
const run = (step: string, inputs: readonly unknown[], name = step) =>
  engine.runs(inputs.map((input, index) => oneStep(`${name}-${index}`, step, input)));
const bucket = () => ({ DURABLE_PAYLOAD_BUCKET: required(outputs['DurablePayloadBucketName'], 'DurablePayloadBucketName') });
const outputsOfRuns = <T>(ends: readonly RunEnd[]): T[] =>
  ends.map(({ status, output, message }) => {
    if (status !== 'completed') throw new Error(`expected a completed run, got ${status}: ${message}`);
    return output as T;
  });

beforeAll(async () => {
  await service.done(['deploy']);
  outputs = await outputsOf(clients, STACK);
  user = await createUser(clients, ENGINE_USER, [required(outputs['DurableEnginePolicyArn'], 'DurableEnginePolicyArn')]);
  engine = await startEngine(aws, user, { prefix: 'variants', payloadStore: true }, bucket());
  workerUser = await createUser(clients, WORKER_USER, [required(outputs['DurableWorkerPolicyArn'], 'DurableWorkerPolicyArn')]);
  worker = await startChild('worker-process.ts', aws, workerUser, { WORKER_PREFIX: 'variants', ...bucket() });
});

afterAll(async () => {
  await engine?.stop();
  await worker?.stop();
  service.remove();
});

describe('a batch of 50 with a window', () => {
  it('reaches one invocation whole', async () => {
    const mapping = await mappingOf('mails');
    expect(mapping).toMatchObject({ BatchSize: 50, MaximumBatchingWindowInSeconds: 1 });
    await clients.lambda.send(new UpdateEventSourceMappingCommand({ UUID: mapping.UUID, Enabled: false }));
    const ended = run(
      'mails.send',
      Array.from({ length: 50 }, () => ({})),
    );
    await untilDepth(clients, 'variants-tasks-mails--send', { visible: 50 });
    await clients.lambda.send(new UpdateEventSourceMappingCommand({ UUID: mapping.UUID, Enabled: true }));
    const invocations = new Set(outputsOfRuns<{ invocation: string }>(await ended).map(({ invocation }) => invocation));
    expect(invocations.size).toBe(1);
  });
});

describe('provisioned pollers', () => {
  it('serve the step, with no maximum concurrency beside them', async () => {
    expect(outputsOfRuns(await run('prices.look-up', [{ sku: 'a' }]))).toEqual([{ sku: 'a', cents: 995 }]);
    expect(await mappingOf('prices')).not.toHaveProperty('ScalingConfig');
  });
});

describe('a payload bucket', () => {
  it('carries an input and an output of 2 MB', async () => {
    const text = 'a'.repeat(2_000_000);
    const [output] = outputsOfRuns<{ text: string }>(await run('documents.store', [{ text }]));
    expect(output?.text === text.toUpperCase()).toBe(true);
  });

  it('holds both bodies, under keys that say what they are', async () => {
    const Bucket = outputs['DurablePayloadBucketName'];
    const { Contents = [] } = await clients.s3.send(new ListObjectsV2Command({ Bucket }));
    expect(Contents.map(({ Key }) => Key?.split('/').slice(0, 2).join('/')).sort()).toEqual(['durable/result', 'durable/task']);
  });
});

describe('a step in a container', () => {
  it('runs for longer than its visibility timeout with nothing but DurableWorkerPolicy, and is delivered once', async () => {
    const pages = 'a'.repeat(1_100_000);
    const [scan] = outputsOfRuns<{ pages: string; receiveCount: number }>(await run('scans.read', [{ pages, forMs: 3_000 }]));
    expect(scan?.receiveCount).toBe(1);
    expect(scan?.pages === pages.toUpperCase()).toBe(true);
    await untilDepth(clients, 'variants-tasks-scans--read', { visible: 0, inFlight: 0 });
    expect(worker.log()).toBe('');
  });
});

describe('a key of the service', () => {
  it('encrypts every queue', async () => {
    for (const name of ['variants-tasks-mails--send', 'variants-results.fifo', 'variants-parked-mails--send']) {
      const QueueUrl = await queueUrlOf(clients, name);
      const { Attributes } = await clients.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['KmsMasterKeyId'] }));
      expect(Attributes).toEqual({ KmsMasterKeyId: outputs['DurableKeyArn'] });
    }
  });
});

describe('a function whose process dies', () => {
  const outcomes = (json: string) =>
    JSON.parse(json)
      .map(({ runId, outcome }: { runId: string; outcome: string }) => `${runId} ${outcome}`)
      .sort();

  it('gets its whole batch again after the visibility timeout', async () => {
    const ends = outputsOfRuns<{ receiveCount: number }>(await run('fragile.work', [{ dies: 'once' }, { dies: 'once' }, { dies: 'once' }]));
    expect(ends.map(({ receiveCount }) => receiveCount)).toEqual([2, 2, 2]);
  });

  it('has its task parked when the receives are used up, and the run is told', async () => {
    // The body of the second is in the payload bucket, so whose task it is stands there.
    const ends = await run('fragile.work', [{ dies: 'always' }, { dies: 'always', padding: 'a'.repeat(1_100_000) }], 'dead');
    for (const end of ends) {
      expect(end).toMatchObject({ status: 'failed', message: expect.stringContaining('delivered as often as its queue allows') });
    }
    await untilDepth(clients, 'variants-parked-fragile--work', { visible: 2 });
    const { stdout } = await service.done(['durable', 'dead-letters', '--step', 'fragile.work', '--json']);
    // The list reads no stored body, so it has no run of the second.
    const parked: { runId: string | null }[] = JSON.parse(stdout).steps[0].messages;
    expect(parked.sort((a) => (a.runId === null ? 1 : -1))).toMatchObject([
      { runId: 'dead-0', receiveCount: 3, resultSent: true, reason: 'receive count used up' },
      { runId: null, receiveCount: 3, resultSent: true, reason: 'receive count used up' },
    ]);
  });

  it('keeps what the engine was told of from a retry, unless it is forced', async () => {
    const { code, stdout } = await service.sls(['durable', 'dead-letters', '--step', 'fragile.work', '--retry', '--json']);
    expect(outcomes(stdout)).toEqual(['dead-0 refused', 'null refused']);
    expect(code).toBe(1);
    const forced = await service.done(['durable', 'dead-letters', '--step', 'fragile.work', '--retry', '--force', '--json']);
    expect(outcomes(forced.stdout)).toEqual(['dead-0 sent', 'null sent']);
  });
});

describe('a function that runs out of time', () => {
  it('gives back at once what it has not started', async () => {
    const mapping = await mappingOf('slow');
    await clients.lambda.send(new UpdateEventSourceMappingCommand({ UUID: mapping.UUID, Enabled: false }));
    const slow = run('slow.work', [{ waits: true }], 'slow');
    await untilDepth(clients, 'variants-tasks-slow--work', { visible: 1 });
    const quick = run('slow.work', [{ waits: false }], 'quick');
    await untilDepth(clients, 'variants-tasks-slow--work', { visible: 2 });
    await clients.lambda.send(new UpdateEventSourceMappingCommand({ UUID: mapping.UUID, Enabled: true }));
    expect(await slow).toMatchObject([{ status: 'failed', message: expect.stringContaining('time') }]);
    // Its visibility timeout is a minute, and this test waits for less.
    expect(await quick).toMatchObject([{ status: 'completed', output: { receiveCount: 2 } }]);
  }, 30_000);
});

describe('a results queue with a message that is no result', () => {
  it('goes on, and gives the message back', async () => {
    const QueueUrl = required(outputs['DurableResultsQueueUrl'], 'DurableResultsQueueUrl');
    await clients.sqs.send(
      new SendMessageCommand({ QueueUrl, MessageBody: 'not a result', MessageGroupId: 'foreign', MessageDeduplicationId: 'foreign' }),
    );
    await vi.waitFor(() => expect(engine.log()).toContain('StepResult'), { timeout: 30_000, interval: 50 });
    expect(outputsOfRuns(await run('prices.look-up', [{ sku: 'c' }], 'after'))).toEqual([{ sku: 'c', cents: 995 }]);
  });

  it('tells the depth of a step to the dashboard of the engine', async () => {
    // A run ends with its result, and the record of its task goes after it.
    await untilDepth(clients, 'variants-tasks-prices--look-up', { visible: 0, inFlight: 0 });
    expect(await engine.depth('prices.look-up')).toBe(0);
  });
});

describe('alarms and dashboard', () => {
  it('exist, and the alarms notify the topic', async () => {
    const { MetricAlarms = [] } = await clients.cloudWatch.send(new DescribeAlarmsCommand({ AlarmNamePrefix: STACK }));
    expect(MetricAlarms.length).toBeGreaterThan(0);
    for (const { AlarmActions } of MetricAlarms) expect(AlarmActions).toEqual(['arn:aws:sns:eu-central-1:000000000000:pager']);
    const { DashboardBody } = await clients.cloudWatch.send(new GetDashboardCommand({ DashboardName: `${STACK}-${aws.region}` }));
    expect(JSON.parse(DashboardBody ?? '{}').widgets.length).toBeGreaterThan(5);
  });
});

describe('a FIFO tasks queue', () => {
  it('serves an engine that is told nothing, beside standard queues', async () => {
    const accounts = outputsOfRuns<{ account: string }>(await run('ledger.append', [{ account: 'a' }, { account: 'b' }]));
    expect(accounts.map(({ account }) => account)).toEqual(['a', 'b']);
  });
});

describe('a step that is not deployed', () => {
  it('fails its run with the name of its queue and the region, although IAM refuses to look it up', async () => {
    const [end] = await run('ledger.close', [{}]);
    expect(end?.message).toContain('no SQS queue "variants-tasks-ledger--close" in region eu-central-1');
  });
});

describe('the results queue', () => {
  it('keeps nothing but what is no result', async () => {
    // The dead letters that were retried die again, and the engine is told again: not behind its back.
    await untilDepth(clients, 'variants-parked-fragile--work', { visible: 2 });
    await untilDepth(clients, 'variants-dead-letters-fragile--work', { visible: 0, inFlight: 0 });
    // One is left, which a test above has sent, and which the engine gives back each time.
    await vi.waitFor(async () => {
      const { visible, inFlight } = await depthOf(clients, 'variants-results.fifo');
      expect(visible + inFlight).toBe(1);
    }, 60_000);
    await engine.stop();
    await untilDepth(clients, 'variants-results.fifo', { visible: 1, inFlight: 0 });
  });
});

describe('sls invoke local --durable-send', () => {
  it('sends the result to the queue on AWS', async () => {
    await service.done(['durable', 'event', '--step', 'prices.look-up', '--input', '{"sku":"b"}', '--out', 'event.json']);
    await service.done(['invoke', 'local', '-f', 'prices', '-p', 'event.json', '--durable-send']);
    const QueueUrl = required(outputs['DurableResultsQueueUrl'], 'DurableResultsQueueUrl');
    const { Messages = [] } = await clients.sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
    expect(Messages.map(({ Body }) => Body)).toContainEqual(expect.stringContaining('"output":{"sku":"b","cents":995}'));
  });
});

describe('a removed step', () => {
  const functions = () => readFileSync(join(service.folder, 'serverless.yml'), 'utf8');
  const slow = / {2}slow:\n(?: {4}.*\n)+/.exec(functions())?.[0] ?? '';

  it('comes back over the queues that it has left, in a stack whose template is too long for a request', async () => {
    const before = await queueNames(clients, 'variants-');
    service.edit(slow, '');
    await service.done(['deploy']);
    expect(await queueUrlOf(clients, 'variants-tasks-slow--work')).toBeUndefined();
    service.edit('  deadLetters:\n', `${slow}  deadLetters:\n`);
    const { stdout } = await service.done(['durable', 'adopt', '--json']);
    expect(JSON.parse(stdout)).toMatchObject([{ name: 'variants-parked-slow--work' }, { name: 'variants-dead-letters-slow--work' }]);
    await service.done(['deploy']);
    expect(await queueNames(clients, 'variants-')).toEqual(before);
  });
});

describe('rights', () => {
  beforeAll(() => worker.stop());

  testRights(STACK, () => ({ outputs, engine: user, worker: workerUser }));
});

async function mappingOf(functionKey: string) {
  const { EventSourceMappings } = await clients.lambda.send(
    new ListEventSourceMappingsCommand({ FunctionName: `${STACK}-${functionKey}` }),
  );
  return required(EventSourceMappings?.[0], `a mapping of ${functionKey}`);
}
