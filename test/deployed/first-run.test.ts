import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DetachUserPolicyCommand } from '@aws-sdk/client-iam';
import { ListEventSourceMappingsCommand, UpdateEventSourceMappingCommand } from '@aws-sdk/client-lambda';
import { GetQueueAttributesCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { expectedStatus, makeOrders } from '../../bench/demo/checkout.ts';
import {
  CONTAINER_STEP_FIELDS,
  DEAD_LETTER_FIELDS,
  ENGINE_FIELDS,
  SERVICE_FIELDS,
  STEP_FIELDS,
} from '../../src/serverless/config/schema.ts';
import { createUser, depthOf, outputsOf, queueNames, queueUrlOf, required, sendTo, untilDepth } from './account.ts';
import { layOut } from './deploy.ts';
import { type Engine, startEngine } from './engine/engine.ts';
import type { Credentials } from './server/aws-server.ts';
import { clientsOf } from './server/clients.ts';

const STACK = 'durable-example-dev';
const RESERVE = 'stock--reserve';
const CHARGE = 'payments--charge-card';

const aws = inject('aws');
const clients = clientsOf(aws);
const service = layOut(aws, 'first-run', { 'serverless.yml': 'serverless.yml', handlers: 'handlers' });
const json = async (...args: readonly string[]) => JSON.parse((await service.done(['durable', ...args, '--json'])).stdout);

let engine: Engine;
let policyArn: string;
let user: Credentials;

beforeAll(async () => {
  await service.done(['deploy']);
  const outputs = await outputsOf(clients, STACK);
  policyArn = required(outputs['DurableEnginePolicyArn'], 'the output DurableEnginePolicyArn');
  user = await createUser(clients, 'first-engine', [policyArn]);
  engine = await startEngine(aws, user, { prefix: required(outputs['DurablePrefix'], 'the output DurablePrefix') });
});

afterAll(async () => {
  await engine?.stop();
  service.remove();
});

/**
 * The service of this repository, as it stands, from its first deployment to what is left of it: each test goes on
 * where the one before stopped.
 */
describe("this repository's service", () => {
  it('completes 100 checkouts of all outcomes, with an engine that holds DurableEnginePolicy and nothing else', async () => {
    const orders = makeOrders(100);
    const ends = await engine.runs(orders.map((order) => ({ workflow: 'checkout', runId: order.orderId, input: order })));
    const wrong = ends.filter(({ status }, index) => status !== expectedStatus(required(orders[index], 'an order')));
    expect(wrong).toEqual([]);
    expect(ends.filter(({ status }) => status === 'failed').map(({ message }) => message)).toEqual(
      Array.from({ length: 14 }, () => 'the card was declined'),
    );
    expect(engine.log()).toBe('');
  });

  it('leaves no message behind', async () => {
    for (const name of await queueNames(clients, 'durable-dev-')) await untilDepth(clients, name, { visible: 0, inFlight: 0 });
  });

  it('has nothing that doctor --live --strict warns of', async () => {
    expect(await json('doctor', '--live', '--strict')).toMatchObject({ findings: [], notes: [] });
  });

  it.each([
    ['another prefix', { prefix: 'durable-prod' }, {}, 'durable-prod-tasks-payments--charge-card', 'eu-central-1'],
    ['another region', { prefix: 'durable-dev' }, { AWS_REGION: 'eu-west-1' }, 'durable-dev-tasks-payments--charge-card', 'eu-west-1'],
  ])('tells an engine with %s which queue it looks for, and where', async (_what, settings, environment, queue, region) => {
    const lost = await startEngine(aws, user, settings, environment);
    const [order] = makeOrders(1);
    const [end] = await lost.runs([{ workflow: 'checkout', runId: 'lost', input: required(order, 'an order') }]);
    await lost.stop();
    expect(end?.message).toContain(`no SQS queue "${queue}" in region ${region}`);
  });

  it('shows every queue with its depth', async () => {
    const { stdout } = await service.done(['durable', 'queues']);
    for (const name of await queueNames(clients, 'durable-dev-')) expect(stdout).toContain(name);
  });
});

/** What hands change on AWS, behind the template's back. */
describe('sls durable doctor --live', () => {
  const urlOf = async (name: string) => required(await queueUrlOf(clients, name), `a queue ${name}`);

  it('finds a disabled mapping, a lowered visibility, a removed redrive policy and a filter, each by its name', async () => {
    const { EventSourceMappings = [] } = await clients.lambda.send(
      new ListEventSourceMappingsCommand({ FunctionName: `${STACK}-notifications` }),
    );
    const [disabled, filtered] = EventSourceMappings;
    await clients.lambda.send(new UpdateEventSourceMappingCommand({ UUID: disabled?.UUID, Enabled: false }));
    const FilterCriteria = { Filters: [{ Pattern: '{"body":{"attempt":[1]}}' }] };
    await clients.lambda.send(new UpdateEventSourceMappingCommand({ UUID: filtered?.UUID, FilterCriteria }));
    const redrive = await clients.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: await urlOf(`durable-dev-tasks-${RESERVE}`), AttributeNames: ['RedrivePolicy'] }),
    );
    await clients.sqs.send(
      new SetQueueAttributesCommand({ QueueUrl: await urlOf(`durable-dev-tasks-${CHARGE}`), Attributes: { VisibilityTimeout: '10' } }),
    );
    await clients.sqs.send(
      new SetQueueAttributesCommand({ QueueUrl: await urlOf(`durable-dev-tasks-${RESERVE}`), Attributes: { RedrivePolicy: '' } }),
    );

    const run = await service.sls(['durable', 'doctor', '--live', '--json']);
    const { findings }: { findings: { id: string; where: string }[] } = JSON.parse(run.stdout);
    expect(findings.map(({ id }) => id).sort()).toEqual([
      'filter-on-tasks',
      'mapping-disabled',
      'no-dead-letter-queue',
      'visibility-below-timeout',
    ]);
    expect(run.code).toBe(1);

    await clients.lambda.send(new UpdateEventSourceMappingCommand({ UUID: disabled?.UUID, Enabled: true }));
    await clients.lambda.send(new UpdateEventSourceMappingCommand({ UUID: filtered?.UUID, FilterCriteria: { Filters: [] } }));
    await clients.sqs.send(
      new SetQueueAttributesCommand({
        QueueUrl: await urlOf(`durable-dev-tasks-${RESERVE}`),
        Attributes: { RedrivePolicy: redrive.Attributes?.['RedrivePolicy'] ?? '' },
      }),
    );
  });
});

describe('a message that is no task', () => {
  const list = async () => {
    const { steps } = await json('dead-letters', '--step', 'payments.charge-card');
    return steps[0].messages;
  };

  beforeAll(async () => {
    // Ten receives, a second apart instead of three minutes.
    const QueueUrl = required(await queueUrlOf(clients, `durable-dev-tasks-${CHARGE}`), 'the tasks queue');
    await clients.sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '1' } }));
    await sendTo(clients, `durable-dev-tasks-${CHARGE}`, 'not a task');
    await untilDepth(clients, `durable-dev-parked-${CHARGE}`, { visible: 1 });
  });

  it('lies in the parked queue after its ten receives, and the list has the reason', async () => {
    expect(await list()).toMatchObject([
      { runId: null, receiveCount: 11, resultSent: false, reason: expect.stringContaining('RemoteTask') },
    ]);
  });

  it('becomes an event for sls invoke local with --save', async () => {
    await service.done(['durable', 'dead-letters', '--step', 'payments.charge-card', '--save', 'parked.json']);
    expect(JSON.parse(readFileSync(join(service.folder, 'parked.json'), 'utf8'))).toMatchObject({ Records: [{ body: 'not a task' }] });
    const { code } = await service.sls(['invoke', 'local', '-f', 'chargeCard', '-p', 'parked.json']);
    expect(code).toBe(1);
  });

  it('goes back to its tasks queue with --retry, and is parked again', async () => {
    await service.done(['durable', 'dead-letters', '--step', 'payments.charge-card', '--retry']);
    await untilDepth(clients, `durable-dev-parked-${CHARGE}`, { visible: 0, inFlight: 0 });
    await untilDepth(clients, `durable-dev-parked-${CHARGE}`, { visible: 1 });
  });

  it('goes for good with --purge', async () => {
    await service.done(['durable', 'dead-letters', '--step', 'payments.charge-card', '--purge', '--yes']);
    expect(await depthOf(clients, `durable-dev-parked-${CHARGE}`)).toEqual({ visible: 0, inFlight: 0 });
  });
});

/**
 * Settings that make other queues; `prefix`, `name` and `enabled` are in the file already, and change in life.test.ts
 * too.
 */
const CHANGED_ELSEWHERE: Readonly<Record<string, string>> = {
  namespace: 'a part of the prefix',
  partition: 'a part of the name',
  fifo: 'life.test.ts: a tasks queue that would go',
  resultsQueue: 'life.test.ts: another results queue',
  startRuns: 'start-runs.test.ts: a service that has it from the beginning',
  tickMinutes: 'engine-function.test.ts: an engine that is turned off',
};

describe('a stopped step', () => {
  it('keeps its tasks in the queue, and runs them after it is enabled, with every other setting changed meanwhile', async () => {
    service.edit('durableStep: stock.reserve', 'durableStep: { name: stock.reserve, enabled: false }');
    await service.done(['deploy']);
    const [order] = makeOrders(1);
    const ended = engine.runs([{ workflow: 'checkout', runId: 'stopped', input: required(order, 'an order') }], 120_000);
    await untilDepth(clients, `durable-dev-tasks-${RESERVE}`, { visible: 1 });
    await sendTo(clients, `durable-dev-parked-${CHARGE}`, 'parked before the change');

    service.edit(
      '{ name: stock.reserve, enabled: false }',
      '{ name: stock.reserve, batchSize: 20, batchWindow: 1, maximumConcurrency: 3, maxReceiveCount: 7, visibilityTimeout: 300 }',
    );
    service.edit('          maximumConcurrency: 20\n', '          provisionedPollers: { minimum: 2, maximum: 4 }\n');
    service.edit('durableDeadLetters: true', 'durableDeadLetters: { batchSize: 5, maximumConcurrency: 3, enabled: true }');
    service.edit(
      '    dashboard: true\n',
      [
        'dashboard: false',
        'alarms: { tasksAgeSeconds: 1200, deadLettersAgeSeconds: 600, resultsAgeSeconds: 600, throttles: 5, errors: 5 }',
        'perFunctionRoles: true',
        'payloadBucket: true',
        'metrics: true',
        'kmsKey: true',
        'loadCheck: false',
        'containerSteps: [reports.render]',
      ]
        .map((line) => `    ${line}\n`)
        .join(''),
    );
    service.edit('  timeout: 30\n', '  timeout: 40\n');
    expect(await depthOf(clients, `durable-dev-tasks-${RESERVE}`)).toEqual({ visible: 1, inFlight: 0 });
    await service.done(['deploy']);
    expect(await ended).toMatchObject([{ runId: 'stopped', status: 'completed' }]);
    expect(await depthOf(clients, `durable-dev-parked-${CHARGE}`)).toEqual({ visible: 1, inFlight: 0 });
  });

  it('leaves no setting out', () => {
    const file = readFileSync(join(service.folder, 'serverless.yml'), 'utf8');
    const settings = Object.keys({ ...SERVICE_FIELDS, ...STEP_FIELDS, ...CONTAINER_STEP_FIELDS, ...DEAD_LETTER_FIELDS, ...ENGINE_FIELDS });
    expect(settings.filter((setting) => !file.includes(`${setting}:`) && !(setting in CHANGED_ELSEWHERE))).toEqual([]);
  });
});

describe('sls remove', () => {
  it('fails while a user has the engine policy, and names the policy', async () => {
    const { code, stdout, stderr } = await service.sls(['remove']);
    expect(stdout + stderr).toContain('DurableEnginePolicy');
    expect(code).toBe(1);
  });

  it('keeps what may hold the only copy of a message, with the message, and deletes the rest', async () => {
    await sendTo(clients, `durable-dev-parked-${RESERVE}`, 'kept');
    await engine.stop();
    await clients.iam.send(new DetachUserPolicyCommand({ UserName: 'first-engine', PolicyArn: policyArn }));
    await service.done(['remove']);
    const names = await queueNames(clients, 'durable-dev-');
    expect(names.filter((name) => name.includes('-tasks-'))).toEqual([]);
    // Four of functions, one of the container.
    expect(names.filter((name) => name.includes('-parked-'))).toHaveLength(5);
    expect(names).toEqual(expect.arrayContaining(['durable-dev-results', 'durable-dev-results-dead-letters']));
    expect(await depthOf(clients, `durable-dev-parked-${RESERVE}`)).toEqual({ visible: 1, inFlight: 0 });
  });
});
