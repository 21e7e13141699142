import { describe, expect, it } from 'vitest';
import { extendFunctions, patchEvents } from '../../../src/serverless/compile.ts';
import type { FrameworkService, Template } from '../../../src/serverless/framework.ts';
import { queuePlan } from '../../../src/serverless/queue-plan.ts';
import { durableFunctions, readDurableService } from '../../../src/serverless/read-service.ts';
import { functionStatements } from '../../../src/serverless/resources/access.ts';
import { stepLogicalId } from '../../../src/serverless/resources/logical-ids.ts';
import { mappings } from '../../../src/serverless/resources/mappings.ts';
import { roleResources } from '../../../src/serverless/resources/roles.ts';
import { allowed, arn, bareFunction, functionWith, mistakesIn, serviceOf } from './services.ts';

const charge = functionWith({ durableStep: 'pay' });
const engineWith = (durableEngine: unknown, fn: object = {}) => ({ handler: 'engine.handler', events: [{ durableEngine }], ...fn });

const serviceWith = (durableEngine: unknown, { durable = {}, fn = {}, functions = {} } = {}) =>
  serviceOf({ durable: { prefix: 'shop', ...durable }, functions: { charge, engine: engineWith(durableEngine, fn), ...functions } });
const deploymentWith = (...given: Parameters<typeof serviceWith>) => readDurableService(serviceWith(...given));

const tasks = arn(stepLogicalId('pay', 'TasksQueue'));

describe('durableEngine', () => {
  it('true has every default', () => {
    expect(deploymentWith(true).engine).toMatchObject({
      path: 'functions.engine.events[0].durableEngine',
      function: { functionKey: 'engine', timeoutSeconds: 30 },
      batchSize: 10,
      maximumConcurrency: 10,
      enabled: true,
      tickMinutes: 1,
    });
  });

  it('has its own settings where it is an object', () => {
    const settings = { batchSize: 5, maximumConcurrency: 4, tickMinutes: 5, enabled: false };
    expect(deploymentWith(settings).engine).toMatchObject(settings);
  });

  it('makes no engine and no queue where no function has it', () => {
    const deployment = readDurableService(serviceOf({ functions: { charge } }));
    expect(deployment.engine).toBeUndefined();
    expect(queuePlan(deployment).filter(({ kind }) => kind === 'wake-ups')).toEqual([]);
  });

  it('makes its function one of the durable functions', () => {
    expect(durableFunctions(deploymentWith(true)).map(({ functionKey }) => functionKey)).toEqual(['charge', 'engine']);
  });

  it.each<[string, Parameters<typeof serviceWith>, string]>([
    ['false', [false], 'expected true, or an object of batchSize, maximumConcurrency, tickMinutes, enabled, got false'],
    ['a name', ['checkout'], 'expected true, or an object of batchSize, maximumConcurrency, tickMinutes, enabled, got "checkout"'],
    [
      'a batch of more than ten',
      [{ batchSize: 11 }],
      'functions.engine.events[0].durableEngine.batchSize: expected an integer from 1 to 10',
    ],
    ['a window', [{ batchWindow: 1 }], 'unknown key, expected one of batchSize, maximumConcurrency, tickMinutes, enabled'],
    ['a tick of hours', [{ tickMinutes: 120 }], 'expected an integer from 1 to 60, got 120'],
    [
      'a second engine',
      [true, { functions: { another: engineWith(true) } }],
      'functions.another.events[0].durableEngine: expected one function as the engine, got functions.engine.events[0].durableEngine too; remove one',
    ],
    [
      'a step of the same function',
      [true, { fn: { events: [{ durableEngine: true }, { durableStep: 'refund' }] } }],
      'functions.engine.events[1].durableStep: expected a function of its own for the engine, got the one of functions.engine.events[0].durableEngine',
    ],
    [
      'dead letters of the same function',
      [true, { fn: { events: [{ durableDeadLetters: true }, { durableEngine: true }] } }],
      'functions.engine.events[0].durableDeadLetters: expected a function of its own for the engine',
    ],
    [
      'a results queue of another service',
      [
        true,
        {
          durable: {
            resultsQueue: { url: 'https://sqs.eu-west-1.amazonaws.com/2/all-results', arn: 'arn:aws:sqs:eu-west-1:2:all-results' },
          },
        },
      ],
      'expected a results queue that this service makes, got all-results of another service; move the engine to the service that owns the queue',
    ],
    [
      'a start queue of another service',
      [
        true,
        {
          durable: {
            startRuns: { url: 'https://sqs.eu-west-1.amazonaws.com/2/all-start-run', arn: 'arn:aws:sqs:eu-west-1:2:all-start-run' },
          },
        },
      ],
      'expected a start queue that this service makes, got all-start-run of another service; make it here (startRuns: true)',
    ],
    [
      'a reserved concurrency below that of its mappings and a tick',
      [{ maximumConcurrency: 5 }, { fn: { reservedConcurrency: 10 } }],
      "functions.engine.reservedConcurrency: expected at least 11, the maximumConcurrency of the engine's mappings together and one for its tick, got 10",
    ],
    [
      'a second consumer of its results, by the name of the queue',
      [true, { functions: { own: { handler: 'own.handler', events: [{ sqs: 'arn:aws:sqs:eu-west-1:1:shop-results' }] } } }],
      'functions.own.events[0].sqs: expected one consumer of shop-results, got another beside functions.engine.events[0].durableEngine; remove it',
    ],
    [
      'a second consumer of its wake-ups, by reference',
      [true, { functions: { own: { handler: 'own.handler', events: [{ sqs: { arn: arn('DurableWakeUpsQueue') } }] } } }],
      'functions.own.events[0].sqs: expected one consumer of shop-wake-ups, got another',
    ],
    [
      'an old runtime',
      [true, { fn: { runtime: 'nodejs20.x' } }],
      'functions.engine.runtime: expected nodejs22.x or later, got "nodejs20.x"',
    ],
    [
      'engineFunction of a queue that the service makes',
      [true, { durable: { resultsQueue: { engineFunction: true } } }],
      'custom.durable.resultsQueue.engineFunction: expected nothing without url and arn, got true',
    ],
  ])('%s is a mistake', (_what, given, line) => {
    const mistakes = mistakesIn(serviceWith(...given));
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]).toContain(line);
  });

  it('counts the start queue into the concurrency that it needs', () => {
    const [mistake] = mistakesIn(serviceWith({ maximumConcurrency: 5 }, { durable: { startRuns: true }, fn: { reservedConcurrency: 15 } }));
    expect(mistake).toContain('expected at least 16');
  });
});

describe('the queues of an engine in a function', () => {
  const visibility = (fn: object, durable: object = {}) =>
    Object.fromEntries(queuePlan(deploymentWith(true, { fn, durable })).map((queue) => [queue.name, queue.visibilityTimeoutSeconds]));

  it('hide a message for six timeouts of the engine, and those that nobody maps for 30 s', () => {
    expect(visibility({ timeout: 60 }, { startRuns: true })).toMatchObject({
      'shop-results': 360,
      'shop-start-run': 360,
      'shop-wake-ups': 360,
      'shop-results-dead-letters': 30,
      'shop-start-run-dead-letters': 30,
    });
  });

  it('have the wake-ups as a standard queue beside FIFO results', () => {
    const names = queuePlan(deploymentWith(true, { durable: { resultsQueue: { fifo: true } } })).map(({ name }) => name);
    expect(names.slice(0, 3)).toEqual(['shop-results-dead-letters.fifo', 'shop-results.fifo', 'shop-wake-ups']);
  });
});

describe('the mappings of an engine in a function', () => {
  const ofEngine = (...given: Parameters<typeof deploymentWith>) =>
    mappings(deploymentWith(...given)).filter(({ functionKey }) => functionKey === 'engine');

  it('bring results and wake-ups, and starts where the service has them', () => {
    expect(ofEngine(true).map(({ queueId }) => queueId)).toEqual(['DurableResultsQueue', 'DurableWakeUpsQueue']);
    expect(ofEngine(true, { durable: { startRuns: true } }).map(({ queueId }) => queueId)).toEqual([
      'DurableResultsQueue',
      'DurableStartRunQueue',
      'DurableWakeUpsQueue',
    ]);
  });

  it('report failures record by record, and have the settings of the event', () => {
    for (const { sqs } of ofEngine({ batchSize: 3, maximumConcurrency: 4, enabled: false })) {
      expect(sqs).toMatchObject({ functionResponseType: 'ReportBatchItemFailures', batchSize: 3, maximumConcurrency: 4, enabled: false });
    }
  });
});

describe('the whole of the rights of an engine in a function', () => {
  const rights = (durable: object = {}) => functionStatements(deploymentWith(true, { durable }), { functionKey: 'engine' }, { poll: true });

  it('its queues are polled for, it releases what they bring, sends tasks and wake-ups, and nothing else', () => {
    expect(rights()).toEqual([
      allowed(
        ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
        arn('DurableResultsQueue'),
        arn('DurableWakeUpsQueue'),
      ),
      allowed(['sqs:ChangeMessageVisibility'], arn('DurableResultsQueue'), arn('DurableWakeUpsQueue')),
      allowed(['sqs:SendMessage', 'sqs:GetQueueUrl'], tasks, arn('DurableWakeUpsQueue')),
    ]);
  });

  it('starts, stored bodies and a key give it rights on these, too', () => {
    const queues = [arn('DurableResultsQueue'), arn('DurableStartRunQueue'), arn('DurableWakeUpsQueue')];
    expect(rights({ startRuns: true, payloadBucket: true, kmsKey: true })).toMatchObject([
      allowed(['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'], ...queues),
      allowed(['sqs:ChangeMessageVisibility'], ...queues),
      allowed(['sqs:SendMessage', 'sqs:GetQueueUrl'], tasks, arn('DurableStartRunQueue'), arn('DurableWakeUpsQueue')),
      allowed(['s3:GetObject', 's3:PutObject'], { 'Fn::Sub': `\${DurablePayloadBucket.Arn}/durable/*` }),
      { Action: ['kms:Decrypt', 'kms:GenerateDataKey'] },
    ]);
  });

  it('a step beside it sends results, and has no right on the queues of the engine', () => {
    const ofStep = functionStatements(deploymentWith(true), { functionKey: 'charge' }, { poll: true });
    expect(ofStep).toContainEqual(allowed(['sqs:SendMessage'], arn('DurableResultsQueue')));
    expect(JSON.stringify(ofStep)).not.toContain('DurableWakeUpsQueue');
  });

  it('perFunctionRoles gives it a role of its own, which its mappings wait for', () => {
    const deployment = deploymentWith(true, { durable: { perFunctionRoles: true } });
    const context = bareFunction('shop-dev-engine', { vpc: true });
    expect(Object.keys(roleResources(deployment, () => context))).toContain('DurableFunctionRoleEngine');
    const waits = mappings(deployment).filter(({ functionKey }) => functionKey === 'engine');
    expect(waits.map(({ dependsOn }) => dependsOn)).toEqual(['DurableFunctionRoleEngine', 'DurableFunctionRoleEngine']);
  });
});

describe('the function of the engine as the deploy tool compiles it', () => {
  const frameworkService = (fn: object = {}) => {
    const functions = {
      charge: { name: 'shop-dev-charge', events: [] },
      engine: { name: 'shop-dev-engine', events: [{ http: 'GET /' }], ...fn },
    };
    return { service: 'shop', provider: { name: 'aws' }, functions } satisfies FrameworkService & { service: string };
  };
  const extended = (durableEngine: unknown, fn: object = {}) => {
    const service = frameworkService(fn);
    extendFunctions(service, deploymentWith(durableEngine));
    return service.functions.engine;
  };

  it('has the schedule of a minute beside its mappings and other events', () => {
    const { events } = extended(true);
    expect(events).toHaveLength(4);
    expect(events[0]).toEqual({ http: 'GET /' });
    expect(events[3]).toEqual({ schedule: { rate: ['rate(1 minute)'], enabled: true } });
  });

  it.each([
    [{ tickMinutes: 5 }, { rate: ['rate(5 minutes)'], enabled: true }],
    [{ enabled: false }, { rate: ['rate(1 minute)'], enabled: false }],
  ])('%o gives the schedule %o', (durableEngine, schedule) => {
    expect(extended(durableEngine).events.at(-1)).toEqual({ schedule });
  });

  it('has a tick that fails dropped, unless the service says otherwise', () => {
    expect(extended(true)).toMatchObject({ maximumRetryAttempts: 0, maximumEventAge: 60 });
    expect(extended(true, { maximumRetryAttempts: 1 })).toMatchObject({ maximumRetryAttempts: 1, maximumEventAge: 60 });
  });

  it('hears the prefix, and nothing that only a worker needs', () => {
    expect(extended(true)).toMatchObject({ environment: { DURABLE_PREFIX: 'shop', NODE_OPTIONS: '--enable-source-maps' } });
    expect(Object.keys(Object(Object(extended(true))['environment']))).toHaveLength(2);
  });

  const template = (): Template => ({
    Resources: Object.fromEntries(
      ['ChargeLambdaFunction', 'EngineLambdaFunction', 'OtherLambdaFunction'].map((id) => [
        id,
        { Type: 'AWS::Lambda::Function', Properties: {} },
      ]),
    ),
  });
  const loops = (deployment: ReturnType<typeof readDurableService>) => {
    const compiled = template();
    patchEvents(deployment, compiled);
    return Object.entries(compiled.Resources).flatMap(([id, { Properties }]) => (Properties?.['RecursiveLoop'] === 'Allow' ? [id] : []));
  };

  it('may invoke itself by way of the steps, and so may these; other functions may not', () => {
    expect(loops(deploymentWith(true))).toEqual(['ChargeLambdaFunction', 'EngineLambdaFunction']);
  });

  it('leaves Lambda its guard where the engine is a process', () => {
    expect(loops(readDurableService(serviceOf({ functions: { charge } })))).toEqual([]);
  });

  it.each([
    { engineFunction: true, ids: ['ChargeLambdaFunction'] },
    { engineFunction: false, ids: [] },
  ])(
    'engineFunction: $engineFunction of a shared results queue lets the functions $ids be invoked in the circle',
    ({ engineFunction, ids }) => {
      const resultsQueue = {
        url: 'https://sqs.eu-west-1.amazonaws.com/2/all-results',
        arn: 'arn:aws:sqs:eu-west-1:2:all-results',
        engineFunction,
      };
      expect(loops(readDurableService(serviceOf({ durable: { resultsQueue }, functions: { charge } })))).toEqual(ids);
    },
  );
});
