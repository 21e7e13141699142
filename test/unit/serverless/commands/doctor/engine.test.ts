import { describe, expect, it } from 'vitest';
import { type AdminEvents, EventsRequestError } from '../../../../../src/serverless/commands/aws/admin-events.ts';
import type { AdminLambda } from '../../../../../src/serverless/commands/aws/admin-lambda.ts';
import type { AdminSqs } from '../../../../../src/serverless/commands/aws/admin-sqs.ts';
import { type EventsConnection, openEvents } from '../../../../../src/serverless/commands/aws/connect.ts';
import { readLiveService } from '../../../../../src/serverless/commands/doctor/live-service.ts';
import { privateHosts } from '../../../../../src/serverless/commands/doctor/private-hosts.ts';
import { judge } from '../../../../../src/serverless/commands/doctor/rules/index.ts';
import { templateFacts } from '../../../../../src/serverless/commands/doctor/template.ts';
import type { DurableDeployment } from '../../../../../src/serverless/deployment.ts';
import { queuePlan } from '../../../../../src/serverless/queue-plan.ts';
import { adminSqs, serviceOf, testContext } from '../context.ts';

type Properties = Record<string, unknown>;
const SETTINGS = { stepSeconds: undefined, handlerConcurrency: 10, prefix: 'shop', enginePrefix: undefined };
const arnOf = (id: string) => ({ 'Fn::GetAtt': [id, 'Arn'] });

interface Changes {
  readonly fn?: Properties;
  readonly step?: Properties;
  readonly mapping?: Properties;
  readonly rule?: Properties;
  readonly more?: Record<string, { Type: string; Properties: Properties }>;
}

/** A template whose engine is a function, in which all is well, but for what a test changes. */
function template({ fn, step, mapping, rule, more }: Changes = {}) {
  const fnOf = (name: string, properties: Properties) => ({
    Type: 'AWS::Lambda::Function',
    Properties: { FunctionName: `shop-dev-${name}`, Runtime: 'nodejs24.x', Timeout: 30, RecursiveLoop: 'Allow', ...properties },
  });
  const queue = (QueueName: string, to: string, maxReceiveCount: number) => ({
    Type: 'AWS::SQS::Queue',
    Properties: {
      QueueName,
      VisibilityTimeout: 180,
      MessageRetentionPeriod: to === 'none' ? 1_209_600 : 345_600,
      ...(to === 'none' ? {} : { RedrivePolicy: { deadLetterTargetArn: arnOf(to), maxReceiveCount } }),
    },
  });
  const mapped = (from: string, to: string, properties: Properties = {}) => ({
    Type: 'AWS::Lambda::EventSourceMapping',
    Properties: {
      EventSourceArn: arnOf(from),
      FunctionName: arnOf(to),
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ...properties,
    },
  });
  return {
    Tasks: queue('shop-tasks-pay', 'DeadLetters', 10),
    DeadLetters: queue('shop-dead-letters-pay', 'none', 0),
    Results: queue('shop-results', 'ResultsDeadLetters', 100),
    ResultsDeadLetters: queue('shop-results-dead-letters', 'none', 0),
    Engine: fnOf('engine', fn ?? {}),
    Pay: fnOf('pay', step ?? {}),
    ResultsMapping: mapped('Results', 'Engine', mapping),
    TasksMapping: mapped('Tasks', 'Pay'),
    Tick: {
      Type: 'AWS::Events::Rule',
      Properties: { ScheduleExpression: 'rate(1 minute)', State: 'ENABLED', Targets: [{ Id: 'engine', Arn: arnOf('Engine') }], ...rule },
    },
    ...more,
  };
}

const found = (changes: Changes) =>
  judge({ ...templateFacts(template(changes), 'shop'), watchedQueues: undefined }, SETTINGS).map(
    ({ id, severity, where, why }) => `${severity} ${id} | ${where} | ${why}`,
  );

const ENGINE = 'template: function shop-dev-engine';

describe('doctor on the template of an engine in a function', () => {
  it('finds nothing where all is well', () => {
    expect(found({})).toEqual([]);
  });

  it('finds nothing of an engine where none is a function', () => {
    const { ResultsMapping, Tick, ...others } = template({ step: { RecursiveLoop: undefined } });
    expect(judge({ ...templateFacts(others, 'shop'), watchedQueues: undefined }, SETTINGS)).toEqual([]);
  });

  it('accepts a schedule of EventBridge Scheduler as the tick', () => {
    const { Tick, ...others } = template();
    const Schedule = {
      Type: 'AWS::Scheduler::Schedule',
      Properties: { ScheduleExpression: 'rate(1 minute)', Target: { Arn: arnOf('Engine') } },
    };
    expect(judge({ ...templateFacts({ ...others, Schedule }, 'shop'), watchedQueues: undefined }, SETTINGS)).toEqual([]);
  });

  it.each<[string, Changes, string]>([
    [
      'a timeout that a cold start uses up',
      { fn: { Timeout: 6 } },
      `warning engine-timeout-short | ${ENGINE} | its timeout of 6 s must hold a cold start that opens the store, and the turns of a whole batch; what does not fit is given back and waits 30 s`,
    ],
    [
      'a timeout beyond the visibility of its queue',
      { fn: { Timeout: 31 } },
      'warning visibility-below-advice | template: Results (shop-results) | its visibility timeout of 180 s is below 186 s, six times the 31 s timeout of shop-dev-engine and the batch window: a throttled batch is redelivered while Lambda still retries it',
    ],
    [
      'no tick',
      { rule: { ScheduleExpression: undefined, EventPattern: {} } },
      `error tick-missing | ${ENGINE} | no schedule invokes the engine: waits beyond 15 minutes never end, and nothing heals a run whose message was lost`,
    ],
    [
      'a schedule of another function',
      { rule: { Targets: [{ Arn: arnOf('Pay') }] } },
      `error tick-missing | ${ENGINE} | no schedule invokes the engine: waits beyond 15 minutes never end, and nothing heals a run whose message was lost`,
    ],
    [
      'a disabled tick',
      { rule: { State: 'DISABLED' } },
      `warning tick-disabled | ${ENGINE} | the schedule of the engine is disabled: waits beyond 15 minutes never end, and nothing heals a run whose message was lost`,
    ],
    [
      'a mapping of results that is disabled',
      { mapping: { Enabled: false } },
      'warning mapping-disabled | template: mapping ResultsMapping of shop-results | it is disabled: results wait, and expire after the retention of the queue',
    ],
    [
      'a filter on results',
      { mapping: { FilterCriteria: {} } },
      'error filter-on-tasks | template: mapping ResultsMapping of shop-results | it has filter patterns: Lambda deletes every result that does not match, and its run waits for ever',
    ],
    [
      'a step that Lambda would stop',
      { step: { RecursiveLoop: 'Terminate' } },
      'error loop-stopped | template: function shop-dev-pay | engine and steps invoke each other by their queues, and Lambda stops such a chain after 16 functions: longer runs stand still',
    ],
    [
      'a database at a private address',
      { fn: { Environment: { Variables: { DATABASE_URL: 'postgres://shop:secret@10.0.3.7:5432/shop' } } } },
      `error store-unreachable | ${ENGINE} | DATABASE_URL names 10.0.3.7, an address that only its own network reaches, and the function is in no VPC`,
    ],
    [
      'a second engine',
      {
        more: {
          Another: {
            Type: 'AWS::Lambda::EventSourceMapping',
            Properties: {
              EventSourceArn: arnOf('Results'),
              FunctionName: 'shop-dev-other',
              FunctionResponseTypes: ['ReportBatchItemFailures'],
            },
          },
        },
      },
      "error several-engines | template: Results (shop-results) | shop-dev-engine and shop-dev-other are mapped to it: each gets a part of the results, and with different stores each drops those of the other's runs",
    ],
  ])('finds %s', (_, changes, expected) => {
    expect(found(changes)).toEqual([expected]);
  });

  it('leaves a private address alone where the function is in a VPC', () => {
    const Environment = { Variables: { DATABASE_URL: 'postgres://10.0.3.7/shop' } };
    expect(found({ fn: { Environment, VpcConfig: { SubnetIds: ['subnet-1'] } } })).toEqual([]);
  });
});

describe('privateHosts', () => {
  it.each([
    ['postgres://u:p@192.168.1.2:5432/db', '192.168.1.2'],
    ['172.16.0.1', '172.16.0.1'],
    ['172.31.0.1:6379', '172.31.0.1'],
    ['db.example.com:5432,10.1.1.1:5432', '10.1.1.1'],
    ['localhost', 'localhost'],
    ['http://127.0.0.1:9324', '127.0.0.1'],
  ])('finds the host in %s', (value, host) => {
    expect(privateHosts({ DB: value })).toEqual([{ variable: 'DB', host }]);
  });

  it.each([
    'postgres://db.internal/shop',
    '172.32.0.1',
    '8.8.8.8',
    'shop.cluster-1.eu-west-1.rds.amazonaws.com',
    'see 10.0.0.1 for more',
    '',
    { Ref: 'Db' },
  ])('says nothing of %j, which may be reached', (value) => {
    expect(privateHosts({ DB: value })).toEqual([]);
  });
});

describe('doctor on AWS, of an engine in a function', () => {
  const arn = (name: string) => `arn:aws:sqs:eu-central-1:1:${name}`;
  const engine = { engine: { handler: 'engine.handler', events: [{ durableEngine: true }] } };
  const withEngine = serviceOf({ pay: 'pay' }, { functions: engine });
  const withProcess = serviceOf({ pay: 'pay' });
  const FUNCTION = 'arn:aws:lambda:eu-central-1:1:function:shop-dev-engine';

  const sqsOf = (service: DurableDeployment): AdminSqs => {
    const names = queuePlan(service).map(({ name }) => name);
    return adminSqs({
      findQueueUrl: async (name) => `https://sqs/1/${name}`,
      listQueues: async () => names.map((name) => `https://sqs/1/${name}`),
      attributes: async (url) => ({ QueueArn: arn(url.split('/').at(-1) ?? ''), VisibilityTimeout: '180' }),
    });
  };
  const lambdaOf = (...queues: string[]): AdminLambda => ({
    mappingsOfQueue: async (queueArn) =>
      queues.map(arn).includes(queueArn) ? [{ UUID: 'u', EventSourceArn: queueArn, FunctionArn: FUNCTION }] : [],
    functionFacts: async () => ({
      runtime: 'nodejs24.x',
      timeoutSeconds: 30,
      reservedConcurrency: undefined,
      environment: {},
      inVpc: false,
    }),
    destroy() {},
  });
  const eventsOf = (...schedules: boolean[]): EventsConnection => {
    const events: AdminEvents = { schedulesOf: async () => schedules.map((enabled) => ({ enabled })), destroy() {} };
    return { events };
  };
  const live = (service: DurableDeployment, queues: string[], events: EventsConnection = eventsOf(true)) =>
    readLiveService(service, sqsOf(service), { lambda: lambdaOf(...queues) }, events);
  const WELL = ['shop-tasks-pay', 'shop-results', 'shop-wake-ups'];
  const idsOf = ({ findings }: Awaited<ReturnType<typeof live>>) => findings.map(({ id, where }) => `${id} ${where}`);

  it('finds nothing where its queues are mapped', async () => {
    expect(idsOf(await live(withEngine, WELL))).toEqual([]);
  });

  it('finds each of its queues that is not mapped', async () => {
    expect(idsOf(await live(withEngine, ['shop-tasks-pay']))).toEqual([
      'engine-mapping-missing live: shop-results',
      'engine-mapping-missing live: shop-wake-ups',
    ]);
  });

  it('finds a function on the results queue of an engine that is a process', async () => {
    expect(idsOf(await live(withProcess, ['shop-tasks-pay', 'shop-results']))).toEqual(['two-kinds-of-engine live: shop-results']);
  });

  it.each([
    [false, ['engine-function-unsaid live: all-results']],
    [true, []],
  ])('compares engineFunction: %s with the mapping of a shared results queue', async (engineFunction, expected) => {
    const resultsQueue = {
      owned: false,
      name: 'all-results',
      url: 'https://sqs/1/all-results',
      arn: arn('all-results'),
      fifo: false,
      engineFunction,
    } as const;
    expect(idsOf(await live({ ...withProcess, resultsQueue }, ['shop-tasks-pay', 'all-results']))).toEqual(expected);
  });

  it.each([
    [[], ['tick-missing']],
    [[false], ['tick-disabled']],
    [[false, true], []],
  ])('knows its schedules: %j', async (schedules, expected) => {
    const { facts } = await live(withEngine, WELL, eventsOf(...schedules));
    expect(
      judge(facts, SETTINGS)
        .map(({ id }) => id)
        .filter((id) => id.startsWith('tick')),
    ).toEqual(expected);
  });

  it('says why the schedule was not examined, and judges the rest', async () => {
    const events: AdminEvents = { schedulesOf: () => Promise.reject(new EventsRequestError('EventBridge refused')), destroy() {} };
    const { facts, scheduleProblem } = await live(withEngine, WELL, { events });
    expect(scheduleProblem).toBe('EventBridge refused');
    expect(judge(facts, SETTINGS).filter(({ id }) => id.startsWith('tick'))).toEqual([]);
  });

  it('asks no EventBridge where no function is the engine', async () => {
    const events: AdminEvents = { schedulesOf: () => Promise.reject(new Error('asked')), destroy() {} };
    expect(await live(withProcess, ['shop-tasks-pay'], { events })).toMatchObject({ scheduleProblem: undefined });
  });
});

describe('openEvents', () => {
  it.each<[Record<string, unknown>, Record<string, string>, string]>([
    [{ local: true }, {}, '"sls durable local" has no EventBridge'],
    [
      {},
      { AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:1' },
      'AWS_ENDPOINT_URL_SQS names an SQS outside AWS; AWS_ENDPOINT_URL_EVENTBRIDGE says where its EventBridge is',
    ],
    [{}, {}, 'the package "@aws-sdk/client-eventbridge" is not installed'],
  ])('says why there is none: %j %j', (options, env, why) => {
    const { context } = testContext({ service: serviceOf({ pay: 'pay' }), options, env });
    expect(openEvents(context)).toEqual({ none: why });
  });
});
