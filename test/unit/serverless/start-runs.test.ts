import { describe, expect, it } from 'vitest';
import { extendFunctions } from '../../../src/serverless/compile.ts';
import { localStarterEnvironment } from '../../../src/serverless/invoke-local.ts';
import { queuePlan } from '../../../src/serverless/queue-plan.ts';
import { readDurableService } from '../../../src/serverless/read-service.ts';
import { enginePolicy } from '../../../src/serverless/resources/access.ts';
import { alarmResources } from '../../../src/serverless/resources/alarms.ts';
import { roleResources, serviceRoleStatements } from '../../../src/serverless/resources/roles.ts';
import { stackOutputs, stackResources } from '../../../src/serverless/resources/stack.ts';
import { allowed, arn, bareFunction, functionWith, mistakesIn, serviceOf } from './services.ts';

const api = { handler: 'api.handler', events: [{ httpApi: '*' }] };
const charge = functionWith({ durableStep: 'pay' });

const deploymentOf = (startRuns: unknown, durable: object = {}) =>
  readDurableService(serviceOf({ durable: { prefix: 'shop', startRuns, ...durable }, functions: { api, charge } }));

const context = () => bareFunction('shop-dev-api');
const SHARED = {
  url: 'https://sqs.eu-west-1.amazonaws.com/123456789012/durable-start-run',
  arn: 'arn:aws:sqs:eu-west-1:123456789012:durable-start-run',
};

describe('custom.durable.startRuns', () => {
  it.each([[undefined], [false]])('%o makes nothing', (startRuns) => {
    const deployment = deploymentOf(startRuns);
    expect(queuePlan(deployment).filter(({ kind }) => kind.startsWith('start-run'))).toEqual([]);
    expect(Object.keys({ ...stackResources(deployment, context), ...stackOutputs(deployment) }).filter((id) => /Start/.test(id))).toEqual(
      [],
    );
  });

  it('true makes the queue, its dead-letter queue, an alarm on each and two outputs', () => {
    const deployment = deploymentOf(true);
    expect(Object.keys(stackResources(deployment, context)).filter((id) => /Start/.test(id))).toEqual([
      'DurableStartRunDeadLetterQueue',
      'DurableStartRunDeadLetterQueuePolicy',
      'DurableStartRunQueue',
      'DurableStartRunQueuePolicy',
      'DurableStartRunAgeAlarm',
      'DurableStartRunDeadLettersAlarm',
    ]);
    expect(stackOutputs(deployment)).toMatchObject({
      DurableStartRunQueueUrl: { Value: { Ref: 'DurableStartRunQueue' } },
      DurableStartRunQueueArn: { Value: arn('DurableStartRunQueue') },
    });
  });

  it('has the alarm on its age at 300 s, or where the service sets it', () => {
    const threshold = (durable?: object) => alarmResources(deploymentOf(true, durable))['DurableStartRunAgeAlarm']?.Properties['Threshold'];
    expect([threshold(), threshold({ alarms: { startsAgeSeconds: 60 } })]).toEqual([300, 60]);
  });

  it('gives the engine the rights to receive starts and to send them', () => {
    const { Statement } = Object(enginePolicy(deploymentOf(true))['DurableEnginePolicy']?.Properties['PolicyDocument']);
    expect(Statement.slice(1)).toEqual([
      allowed(
        ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility', 'sqs:GetQueueUrl'],
        arn('DurableResultsQueue'),
        arn('DurableStartRunQueue'),
      ),
      allowed(['sqs:SendMessage'], arn('DurableStartRunQueue')),
    ]);
  });

  it('shares the queue of another service, and makes none', () => {
    const deployment = deploymentOf({ functions: ['api'], ...SHARED });
    expect(Object.keys(stackResources(deployment, context)).filter((id) => /Start/.test(id))).toEqual([]);
    expect(serviceRoleStatements(deployment)).toContainEqual(allowed(['sqs:SendMessage'], arn('DurableResultsQueue'), SHARED.arn));
    expect(queuePlan(deployment)).toContainEqual(
      expect.objectContaining({ kind: 'start-run', name: 'durable-start-run', redrive: undefined }),
    );
  });

  it.each<[unknown, string]>([
    [{ functions: ['apj'] }, 'custom.durable.startRuns.functions: expected names of functions, got "apj"; this service has api, charge'],
    [{ functions: [4] }, 'custom.durable.startRuns.functions: expected names of functions, got 4; write each as it stands under functions'],
    [{ functions: 'api' }, 'custom.durable.startRuns.functions: expected a list of function names, got "api"'],
    [{ function: ['api'] }, 'custom.durable.startRuns.function: unknown key, expected one of functions, url, arn'],
    [{ url: SHARED.url }, 'custom.durable.startRuns.arn: expected url and arn of an existing queue together, got only one; add the other'],
    [
      { url: `${SHARED.url}.fifo`, arn: `${SHARED.arn}.fifo` },
      'custom.durable.startRuns.url: expected a standard queue, got "durable-start-run.fifo"; give the start queue of the other service',
    ],
  ])('%o is a mistake', (startRuns, line) => {
    const [mistake] = mistakesIn(serviceOf({ durable: { startRuns }, functions: { api, charge } }));
    expect(mistake).toContain(line);
  });
});

describe('a function that may start runs', () => {
  it('has the right to send to the start queue and no other', () => {
    const roles = roleResources(deploymentOf({ functions: ['api'] }, { perFunctionRoles: true }), context);
    const [policy] = Object(roles['DurableFunctionRoleApi']?.Properties['Policies']);
    expect(policy.PolicyDocument.Statement.slice(1)).toEqual([allowed(['sqs:SendMessage'], arn('DurableStartRunQueue'))]);
  });

  it('may also write stored bodies, and use the key, where the service has these', () => {
    const deployment = deploymentOf({ functions: ['api'] }, { perFunctionRoles: true, payloadBucket: true, kmsKey: true });
    const [policy] = Object(roleResources(deployment, context)['DurableFunctionRoleApi']?.Properties['Policies']);
    expect(policy.PolicyDocument.Statement.slice(1)).toMatchObject([
      allowed(['sqs:SendMessage'], arn('DurableStartRunQueue')),
      allowed(['s3:PutObject'], { 'Fn::Sub': `\${DurablePayloadBucket.Arn}/durable/*` }),
      { Action: ['kms:Decrypt', 'kms:GenerateDataKey'] },
    ]);
  });

  it('keeps its own rights where it serves a step, too', () => {
    const roles = roleResources(deploymentOf({ functions: ['charge'] }, { perFunctionRoles: true }), context);
    const [policy] = Object(roles['DurableFunctionRoleCharge']?.Properties['Policies']);
    expect(policy.PolicyDocument.Statement).toContainEqual(
      allowed(['sqs:SendMessage'], arn('DurableResultsQueue'), arn('DurableStartRunQueue')),
    );
  });

  it('hears where to send, and nothing that only a worker needs', () => {
    const deployment = deploymentOf({ functions: ['api'] });
    const functions = {
      api: { ...api, name: 'shop-dev-api', environment: { LEVEL: 'info' } },
      charge: { handler: 'charge.handler', name: 'shop-dev-charge', events: [] },
    };
    const service = { service: 'shop', provider: { name: 'aws' }, functions, custom: {} };
    extendFunctions(service, deployment);
    expect(service.functions.api).toMatchObject({
      environment: { LEVEL: 'info', DURABLE_PREFIX: 'shop', DURABLE_START_RUN_QUEUE_URL: { Ref: 'DurableStartRunQueue' } },
    });
    expect(Object.keys(service.functions.api.environment)).toHaveLength(3);
    expect(service.functions.charge).not.toMatchObject({ environment: { DURABLE_START_RUN_QUEUE_URL: expect.anything() } });
  });

  it('must not set what the plugin sets', () => {
    const own = { ...api, environment: { DURABLE_START_RUN_QUEUE_URL: 'x' } };
    expect(mistakesIn(serviceOf({ durable: { startRuns: { functions: ['api'] } }, functions: { api: own, charge } }))).toEqual([
      'functions.api.environment.DURABLE_START_RUN_QUEUE_URL: expected nothing, the plugin sets it; remove it and use custom.durable',
    ]);
  });

  it('looks the queue up by its name where it runs on this machine, unless the shell gives the URL', () => {
    expect(localStarterEnvironment({ prefix: 'shop' }, {})).toEqual({ DURABLE_PREFIX: 'shop' });
    const url = 'http://127.0.0.1:1/000000000000/shop-start-run';
    expect(localStarterEnvironment({ prefix: 'shop' }, { DURABLE_START_RUN_QUEUE_URL: url })).toEqual({
      DURABLE_PREFIX: 'shop',
      DURABLE_START_RUN_QUEUE_URL: url,
    });
  });
});
