import * as lambdaSdk from '@aws-sdk/client-lambda';
import { DeleteQueueCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sdkAdminLambda } from '../../src/serverless/commands/aws/admin-lambda.ts';
import { sdkAdminSqs } from '../../src/serverless/commands/aws/admin-sqs.ts';
import { doctorCommand } from '../../src/serverless/commands/doctor/command.ts';
import { createPlan } from '../../src/serverless/commands/local/queues.ts';
import type { DurableDeployment } from '../../src/serverless/deployment.ts';
import { queuePlan } from '../../src/serverless/queue-plan.ts';
import { serviceOf, testContext } from '../unit/serverless/commands/context.ts';
import { type Moto, startMoto } from './moto.ts';

// moto keeps functions and mappings; nothing is invoked, which would need Docker: no message comes to a queue that is
// mapped already.
let moto: Moto;
let sqs: SQSClient;
let lambda: lambdaSdk.LambdaClient;
let role: string;

beforeAll(async () => {
  moto = await startMoto();
  sqs = new SQSClient(config());
  lambda = new lambdaSdk.LambdaClient(config());
  role = await makeRole();
});
afterAll(async () => {
  sqs?.destroy();
  lambda?.destroy();
  await moto?.stop();
});

const config = () => ({
  endpoint: moto.endpoint,
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
});

/** IAM's client is not installed; one request of its query protocol does. */
async function makeRole(): Promise<string> {
  const policy = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }],
  };
  const answer = await fetch(moto.endpoint, {
    method: 'POST',
    headers: {
      authorization: 'AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0',
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({
      Action: 'CreateRole',
      Version: '2010-05-08',
      RoleName: 'worker',
      AssumeRolePolicyDocument: JSON.stringify(policy),
    }),
  });
  const arn = /<Arn>(.*?)<\/Arn>/.exec(await answer.text())?.[1];
  if (arn === undefined) throw new Error(`expected a role of moto, got HTTP ${answer.status}`);
  return arn;
}

/** Makes the queues of a service as `autoCreate` and the plugin do; gives their ARNs by name. */
async function makeQueues(service: DurableDeployment): Promise<(name: string) => string> {
  const admin = sdkAdminSqs(config());
  await createPlan(admin, queuePlan(service), moto.endpoint).finally(() => admin.destroy());
  return (name) => `arn:aws:sqs:us-east-1:123456789012:${name}`;
}

async function makeFunction(name: string, settings: Partial<lambdaSdk.CreateFunctionCommandInput> = {}): Promise<void> {
  // An empty archive: the end-of-directory record alone.
  const ZipFile = Uint8Array.from([0x50, 0x4b, 5, 6, ...new Array<number>(18).fill(0)]);
  const basics = { FunctionName: name, Role: role, Code: { ZipFile }, Handler: 'x.handler', Runtime: 'nodejs24.x' as const, Timeout: 30 };
  await lambda.send(new lambdaSdk.CreateFunctionCommand({ ...basics, ...settings }));
}

const WELL = { FunctionResponseTypes: ['ReportBatchItemFailures' as const] };

async function makeMapping(
  FunctionName: string,
  EventSourceArn: string,
  settings: Partial<lambdaSdk.CreateEventSourceMappingCommandInput>,
) {
  await lambda.send(new lambdaSdk.CreateEventSourceMappingCommand({ FunctionName, EventSourceArn, ...settings }));
}

interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly where: string;
}

/** The command with real clients, its endpoints from the command line and the environment. */
async function doctor(service: DurableDeployment, options: Record<string, unknown> = {}, env: Record<string, string> = {}) {
  const { context, terminal } = testContext({
    service,
    options: { json: true, live: true, endpoint: moto.endpoint, ...options },
    env,
    region: 'us-east-1',
    openSqs: sdkAdminSqs,
    openLambda: (settings) => sdkAdminLambda(lambdaSdk, settings),
  });
  await doctorCommand.run(context);
  const { findings, notes }: { findings: Finding[]; notes: string[] } = JSON.parse(terminal.out);
  // A mapping's id is random.
  const found = findings.map(({ id, severity, where }) => `${severity} ${id} | ${where.replace(/mapping [0-9a-f-]{36}/, 'mapping')}`);
  return { found, notes: notes.filter((note) => !note.startsWith('no packaged template')), code: terminal.code };
}

describe('doctor on queues, functions and mappings that exist', () => {
  it('finds nothing where all is well, not even in what another service keeps', async () => {
    const service = serviceOf(
      { pay: 'pay' },
      { prefix: 'well', functions: { dead: { handler: 'dead.handler', events: [{ durableDeadLetters: true }] } } },
    );
    const arn = await makeQueues(service);
    await makeQueues(serviceOf({ elsewhere: 'elsewhere' }, { prefix: 'well' }));
    await sqs.send(new SendMessageCommand({ QueueUrl: `${moto.endpoint}/123456789012/well-tasks-elsewhere`, MessageBody: '{}' }));
    await makeFunction('well-dev-pay', { Environment: { Variables: { DURABLE_PREFIX: 'well' } } });
    await makeMapping('well-dev-pay', arn('well-tasks-pay'), { ...WELL, ScalingConfig: { MaximumConcurrency: 5 } });
    await makeMapping('well-dev-pay', arn('well-dead-letters-pay'), WELL);
    await makeMapping('well-dev-pay', arn('well-tasks-elsewhere'), WELL);
    expect(await doctor(service)).toEqual({ found: [], notes: [], code: 0 });
  });

  it('finds every mistake of mappings, functions and queues', async () => {
    const functions = { dead: { handler: 'dead.handler', events: [{ durableDeadLetters: true }] } };
    const service = serviceOf({ pay: 'pay', ship: 'ship', stock: 'stock', mail: 'mail' }, { prefix: 'ill', functions });
    const arn = await makeQueues(service);
    await makeFunction('ill-dev-pay', { Environment: { Variables: { DURABLE_PREFIX: 'other' } }, Runtime: 'nodejs20.x', Timeout: 60 });
    await makeMapping('ill-dev-pay', arn('ill-tasks-pay'), {
      Enabled: false,
      FilterCriteria: { Filters: [{ Pattern: '{"body":["a"]}' }] },
    });
    await makeFunction('ill-dev-mail');
    const limited = { ...WELL, ScalingConfig: { MaximumConcurrency: 3 } };
    await makeMapping('ill-dev-mail', arn('ill-tasks-mail'), limited);
    await makeMapping('ill-dev-mail', arn('ill-dead-letters-mail'), limited);
    await makeMapping('ill-dev-mail', arn('ill-dead-letters-pay'), limited);
    await makeMapping('ill-dev-mail', arn('ill-tasks-stock'), limited);
    const concurrency = { FunctionName: 'ill-dev-mail', ReservedConcurrentExecutions: 4 };
    await lambda.send(new lambdaSdk.PutFunctionConcurrencyCommand(concurrency));
    await sqs.send(new DeleteQueueCommand({ QueueUrl: `${moto.endpoint}/123456789012/ill-parked-stock` }));
    // A step of an earlier deployment, and an engine of another prefix.
    await makeQueues(serviceOf({ old: 'old' }, { prefix: 'ill' }));
    await makeQueues(serviceOf({ ship: 'ship' }, { prefix: 'durable' }));
    for (const queue of ['ill-tasks-old', 'durable-tasks-ship']) {
      await sqs.send(new SendMessageCommand({ QueueUrl: `${moto.endpoint}/123456789012/${queue}`, MessageBody: '{}' }));
    }

    const { found, notes, code } = await doctor(service);
    expect(found.sort()).toEqual([
      'error filter-on-tasks | live: mapping of ill-tasks-pay',
      'error mapping-missing | live: ill-dead-letters-ship',
      'error mapping-missing | live: ill-dead-letters-stock',
      'error mapping-missing | live: ill-tasks-ship',
      'error old-runtime | live: function ill-dev-pay',
      'error partial-failures-off | live: mapping of ill-tasks-pay',
      'error prefix-differs | live: function ill-dev-pay',
      'error queue-missing | live: ill-parked-stock',
      'error reserved-below-maximum | live: function ill-dev-mail',
      'warning mapping-disabled | live: mapping of ill-tasks-pay',
      'warning removed-step-not-empty | live: ill-tasks-old',
      'warning tasks-of-another-prefix | live: durable-tasks-ship',
      'warning visibility-below-advice | live: ill-tasks-pay',
    ]);
    expect({ notes, code }).toEqual({ notes: [], code: 1 });
  });

  it('exits 0 on warnings alone, and 1 with --strict', async () => {
    const service = serviceOf({ pay: 'pay' }, { prefix: 'off' });
    const arn = await makeQueues(service);
    await makeFunction('off-dev-pay');
    await makeMapping('off-dev-pay', arn('off-tasks-pay'), { ...WELL, Enabled: false });
    const found = ['warning mapping-disabled | live: mapping of off-tasks-pay'];
    expect(await doctor(service)).toMatchObject({ found, code: 0 });
    expect(await doctor(service, { strict: true })).toMatchObject({ found, code: 1 });
  });

  it('takes AWS_ENDPOINT_URL for both, and says so where Lambda does not answer', async () => {
    const service = serviceOf({ pay: 'pay' }, { prefix: 'env' });
    await makeQueues(service);
    const AWS_ENDPOINT_URL = moto.endpoint;
    const options = { endpoint: undefined };
    expect((await doctor(service, options, { AWS_ENDPOINT_URL })).found).toEqual(['error mapping-missing | live: env-tasks-pay']);

    const away = { AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_LAMBDA: 'http://127.0.0.1:1' };
    const { found, notes, code } = await doctor(service, { ...options, live: false }, away);
    expect({ found, code }).toEqual({ found: [], code: 0 });
    expect(notes).toEqual([
      expect.stringMatching(/^mappings and functions were not examined: Lambda ListEventSourceMappings failed: .*ECONNREFUSED/),
    ]);
    await expect(doctor(service, options, away)).rejects.toThrow('Lambda ListEventSourceMappings failed');
  });
});
