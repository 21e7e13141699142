import { describe, expect, it } from 'vitest';
import { readDurableService } from '../../../src/serverless/read-service.ts';
import { functionWith, mistakesIn, serviceOf } from './services.ts';

describe('a serverless.yml with one line per step', () => {
  it('reads as a service with every default filled in', () => {
    const service = readDurableService(serviceOf({ functions: { charge: functionWith({ durableStep: 'payments.charge-card' }) } }));
    expect(service).toMatchObject({
      prefix: 'durable',
      resultsQueue: { owned: true, name: 'durable-results', fifo: false },
      deadLetters: undefined,
      alarms: { tasksAgeSeconds: 900, resultsAgeSeconds: 300, deadLettersAgeSeconds: undefined, throttles: undefined, errors: undefined },
    });
    expect(service.steps).toEqual([
      {
        path: 'functions.charge.events[0].durableStep',
        name: 'payments.charge-card',
        kind: 'step',
        partition: undefined,
        token: 'payments.charge-card',
        function: {
          functionKey: 'charge',
          handler: 'charge.handler',
          runtime: 'nodejs24.x',
          timeoutSeconds: 30,
          reservedConcurrency: undefined,
        },
        queues: {
          tasks: 'durable-tasks-payments--charge-card',
          deadLetters: 'durable-dead-letters-payments--charge-card',
          parked: 'durable-parked-payments--charge-card',
        },
        batchSize: 10,
        batchWindowSeconds: 0,
        maximumConcurrency: undefined,
        provisionedPollers: undefined,
        maxReceiveCount: 10,
        visibilityTimeoutSeconds: 180,
        fifo: false,
        enabled: true,
      },
    ]);
  });

  it('reads a workflow as it reads a step: its turns come by a tasks queue', () => {
    const read = (event: object) => readDurableService(serviceOf({ functions: { checkout: functionWith(event) } })).steps;
    const [step] = read({ durableStep: { name: 'checkout', fifo: true, batchSize: 1 } });
    expect(read({ durableWorkflow: { name: 'checkout', fifo: true, batchSize: 1 } })).toEqual([
      { ...step, kind: 'workflow', path: 'functions.checkout.events[0].durableWorkflow' },
    ]);
    expect(() => read({ durableWorkflow: 3 })).toThrow('expected the name of a workflow, or an object with its name, got 3');
  });

  it('routes a step by the token the engine sends to, and folds the namespace into the prefix', () => {
    const [step] = readDurableService(serviceOf({ step: { name: 'pay:charge', partition: 'acme', fifo: true } })).steps;
    expect(step?.token).toBe('pay-charge@acme');
    expect(step?.queues.tasks).toBe('durable-tasks-pay-charge_at_acme.fifo');
    expect(readDurableService(serviceOf({ durable: { prefix: 'shop', namespace: 'blue' }, step: 'a' })).prefix).toBe('shop-blue');
  });

  it('hides a task for six timeouts and the window, at most twelve hours', () => {
    const visibility = (step: object, timeout: number) =>
      readDurableService(serviceOf({ step: { name: 'a', ...step }, fn: { timeout } })).steps[0]?.visibilityTimeoutSeconds;
    expect(visibility({ batchWindow: 20 }, 10)).toBe(80);
    expect(visibility({}, 900)).toBe(5_400);
  });

  it('takes what a variable of serverless gives as text', () => {
    const [step] = readDurableService(serviceOf({ step: { name: 'a', batchSize: '5', enabled: 'false' } })).steps;
    expect(step).toMatchObject({ batchSize: 5, enabled: false });
  });

  it('leaves a function without durable events alone, whatever it is', () => {
    const functions = { old: { image: 'x', runtime: 'python3.10', events: [{ sqs: 'arn:aws:sqs:eu-west-1:1:mine' }] }, none: {} };
    expect(readDurableService(serviceOf({ functions })).steps).toEqual([]);
  });

  it('knows where the rights of a function go', () => {
    const kind = (fn: object, durable: object = {}) => readDurableService(serviceOf({ step: 'a', fn, durable })).roles.get('charge');
    expect(kind({})).toEqual({ kind: 'service' });
    expect(kind({}, { perFunctionRoles: true })).toEqual({ kind: 'made' });
    const ofProvider = { role: 'arn:aws:iam::123456789012:role/team/all' };
    for (const provider of [{ iam: ofProvider }, ofProvider]) {
      const service = { provider: { runtime: 'nodejs24.x', ...provider }, functions: { charge: functionWith({ durableStep: 'a' }) } };
      expect(readDurableService(service).roles.get('charge')).toEqual({ kind: 'existing', roleName: 'all' });
    }
    expect(kind({ role: 'MyRole' })).toEqual({ kind: 'resource', logicalId: 'MyRole' });
    expect(kind({ role: { 'Fn::GetAtt': ['MyRole', 'Arn'] } })).toEqual({ kind: 'resource', logicalId: 'MyRole' });
    expect(kind({ role: 'arn:aws:iam::123456789012:role/team/worker' })).toEqual({ kind: 'existing', roleName: 'worker' });
  });
});

describe('a mistake in serverless.yml is refused with its path, what was expected, what was got and what to do', () => {
  const at = 'functions.charge.events[0].durableStep';

  it.each<[string, Parameters<typeof serviceOf>[0], string]>([
    [
      'a setting that does not exist',
      { durable: { prefx: 'a' }, step: 'a' },
      'custom.durable.prefx: unknown key, expected one of prefix, namespace, containerSteps, resultsQueue, startRuns, kmsKey, payloadBucket, alarms, dashboard, metrics, loadCheck, perFunctionRoles; remove it or correct its spelling',
    ],
    ['custom.durable that is no object', { durable: 'shop', step: 'a' }, 'custom.durable: expected an object of prefix, namespace, '],
    [
      'a prefix that AWS would refuse',
      { durable: { prefix: 'my shop' }, step: 'a' },
      'custom.durable.prefix: expected prefix to be one or more of A-Z a-z 0-9 _ - (that is all AWS allows in a queue name), got "my shop"',
    ],
    [
      'half of an existing results queue',
      { durable: { resultsQueue: { url: 'https://sqs.eu-west-1.amazonaws.com/1/r' } }, step: 'a' },
      'custom.durable.resultsQueue.arn: expected url and arn of an existing queue together, got only one; add the other',
    ],
    [
      'URL and ARN of two queues',
      { durable: { resultsQueue: { url: 'https://sqs.eu-west-1.amazonaws.com/1/r', arn: 'arn:aws:sqs:eu-west-1:1:other' } }, step: 'a' },
      'custom.durable.resultsQueue: expected url and arn of one queue, got account and name "1/r" and "1/other"',
    ],
    [
      'URL and ARN of two accounts',
      { durable: { resultsQueue: { url: 'https://sqs.eu-west-1.amazonaws.com/1/r', arn: 'arn:aws:sqs:eu-west-1:2:r' } }, step: 'a' },
      'custom.durable.resultsQueue: expected url and arn of one queue, got account and name "1/r" and "2/r"',
    ],
    [
      'a key that is no ARN',
      { durable: { kmsKey: 'alias/mine' }, step: 'a' },
      'custom.durable.kmsKey: expected true or the ARN of a key, not of an alias (arn:aws:kms:…:key/…), got "alias/mine"',
    ],
    [
      'a key by its alias, on which IAM grants nothing',
      { durable: { kmsKey: 'arn:aws:kms:eu-west-1:1:alias/mine' }, step: 'a' },
      'custom.durable.kmsKey: expected true or the ARN of a key, not of an alias (arn:aws:kms:…:key/…), got "arn:aws:kms:eu-west-1:1:alias/mine"',
    ],
    [
      'objects that expire before their messages',
      { durable: { payloadBucket: { retentionDays: 14 } }, step: 'a' },
      'custom.durable.payloadBucket.retentionDays: expected an integer from 28 to 3650, got 14',
    ],
    [
      'a key prefix with a wildcard, which a policy would read as one',
      { durable: { payloadBucket: { keyPrefix: 'team*/' } }, step: 'a' },
      'custom.durable.payloadBucket.keyPrefix: expected a beginning of S3 keys such as durable/ (A-Z a-z 0-9 ! _ . \' ( ) / -, no slash in front), got "team*/"',
    ],
    [
      'a key prefix that S3 would take for another path',
      { durable: { payloadBucket: { name: 'b', keyPrefix: 'a/../b/' } }, step: 'a' },
      'custom.durable.payloadBucket.keyPrefix: expected a beginning of S3 keys',
    ],
    [
      'objects that expire before the dead letters of a FIFO step',
      { durable: { payloadBucket: { retentionDays: 31 } }, step: { name: 'a', fifo: true } },
      'custom.durable.payloadBucket.retentionDays: expected at least 32 with a FIFO step (functions.charge.events[0].durableStep), got 31',
    ],
    [
      'a lifecycle for a bucket that is not ours',
      { durable: { payloadBucket: { name: 'b', retentionDays: 30 } }, step: 'a' },
      'custom.durable.payloadBucket.retentionDays: expected nothing beside name',
    ],
    [
      'an alarm threshold that does not exist',
      { durable: { alarms: { tasksAge: 5 } }, step: 'a' },
      'custom.durable.alarms.tasksAge: unknown key',
    ],
    ['a step without a name', { step: { batchSize: 5 } }, `${at}.name: expected a non-empty string, got nothing; add it`],
    ['a step that is a list', { step: ['a'] }, `${at}: expected the name of a step, or an object with its name, got `],
    [
      'a key of a step that does not exist',
      { step: { name: 'a', batchsize: 5 } },
      `${at}.batchsize: unknown key, expected one of name, partition, `,
    ],
    [
      'a visibility timeout below the function timeout',
      { step: { name: 'a', visibilityTimeout: 29, batchWindow: 1 } },
      `${at}.visibilityTimeout: expected at least 31 (function timeout 30 + batchWindow 1), got 29; a task would be delivered again while it runs; remove it, the default is 6 × the timeout + the window`,
    ],
    [
      'a batch over ten without a window',
      { step: { name: 'a', batchSize: 11 } },
      `${at}.batchSize: expected at most 10 without a batchWindow, got 11; add batchWindow: 1 (seconds) or more`,
    ],
    [
      'a batch over ten on a FIFO queue',
      { step: { name: 'a', batchSize: 11, fifo: true } },
      `${at}.batchSize: expected at most 10 on a FIFO queue, got 11`,
    ],
    [
      'a window on a FIFO queue',
      { step: { name: 'a', batchWindow: 1, fifo: true } },
      `${at}.batchWindow: expected none on a FIFO queue, got 1; remove it`,
    ],
    [
      'provisioned pollers with a maximum concurrency',
      { step: { name: 'a', maximumConcurrency: 5, provisionedPollers: { minimum: 2, maximum: 4 } } },
      `${at}.maximumConcurrency: expected none beside provisionedPollers (AWS allows one of the two), got both; remove one`,
    ],
    [
      'more pollers at least than at most',
      { step: { name: 'a', provisionedPollers: { minimum: 9, maximum: 4 } } },
      `${at}.provisionedPollers.minimum: expected at most the maximum, 4, got 9`,
    ],
    [
      'pollers without a maximum',
      { step: { name: 'a', provisionedPollers: { minimum: 9 } } },
      `${at}.provisionedPollers.maximum: expected an integer from 2 to 2000, got nothing; add it`,
    ],
    [
      'a maximum concurrency that AWS would refuse',
      { step: { name: 'a', maximumConcurrency: 1 } },
      `${at}.maximumConcurrency: expected an integer from 2 to 1000, got 1 (Invocations at the same time at most. Default: no limit of its own.)`,
    ],
    [
      'reserved concurrency below the maximum concurrency of its steps',
      {
        functions: {
          charge: {
            ...functionWith({ durableStep: { name: 'a', maximumConcurrency: 5 } }, { durableStep: { name: 'b', maximumConcurrency: 6 } }),
            reservedConcurrency: 10,
          },
        },
      },
      'functions.charge.reservedConcurrency: expected at least 11, the maximumConcurrency of its mappings together, got 10; throttled invocations use up receives; raise it, or to stop a step set enabled: false',
    ],
    [
      'a function that may never run while its mapping polls',
      { step: 'a', fn: { reservedConcurrency: 0 } },
      'functions.charge.reservedConcurrency: expected 1 or more, got 0; every invocation would be throttled until its task is a dead letter; to stop a step set enabled: false',
    ],
    [
      'reserved concurrency below that of all dead-letter mappings',
      {
        functions: {
          work: functionWith({ durableStep: 'a' }, { durableStep: 'b' }),
          dead: { ...functionWith({ durableDeadLetters: true }), reservedConcurrency: 3 },
        },
      },
      'functions.dead.reservedConcurrency: expected at least 4, the maximumConcurrency of its mappings together, got 3',
    ],
    [
      'two steps that would share a queue',
      { functions: { charge: functionWith({ durableStep: 'pay:card' }), other: functionWith({ durableStep: 'pay-card' }) } },
      'functions.other.events[0].durableStep: expected a queue of its own, got that of "pay:card" (functions.charge.events[0].durableStep): both have the routing token "pay-card"; rename one',
    ],
    [
      'a step declared on two functions',
      { functions: { charge: functionWith({ durableStep: 'pay' }), other: functionWith({ durableStep: { name: 'pay', fifo: true } }) } },
      `functions.other.events[0].durableStep: expected each step once, got "pay" at functions.charge.events[0].durableStep too; each would receive the other's tasks; remove one`,
    ],
    [
      'a runtime that is too old',
      { step: 'a', fn: { runtime: 'nodejs20.x' } },
      'functions.charge.runtime: expected nodejs22.x or later, got "nodejs20.x"; set provider.runtime (or this runtime) to nodejs24.x',
    ],
    [
      'a runtime that is not Node',
      { step: 'a', fn: { runtime: 'python3.13' } },
      'functions.charge.runtime: expected nodejs22.x or later, got "python3.13"',
    ],
    [
      'a function from an image',
      { step: 'a', fn: { handler: undefined, image: 'x' } },
      'functions.charge.handler: expected a handler (file.export), got none; durable events need a zip function, not an image',
    ],
    [
      'an environment that the plugin sets',
      { step: 'a', fn: { environment: { DURABLE_PREFIX: 'x' } } },
      'functions.charge.environment.DURABLE_PREFIX: expected nothing, the plugin sets it; remove it and use custom.durable',
    ],
    [
      'an environment that makes Lambda print its results',
      { step: 'a', fn: { environment: { DURABLE_REPLAY: 'print' } } },
      'functions.charge.environment.DURABLE_REPLAY: expected nothing: on Lambda "print" consumes tasks without sending a result; remove it, or set it in the shell of sls invoke local',
    ],
    [
      'a role that cannot be given rights',
      { step: 'a', fn: { role: { 'Fn::ImportValue': 'role' } } },
      'functions.charge.role: expected the ARN of a role as text, or the logical id of a role of this service, so that queue rights can be added to it; got ',
    ],
    [
      'a filter on a step',
      { step: { name: 'a', filterPatterns: [{ body: ['x'] }] } },
      `${at}.filterPatterns: a filter deletes every task that it does not match; remove it and give each step its own event`,
    ],
    [
      'a filter on the tasks queue by a plain event',
      {
        functions: {
          charge: functionWith(
            { durableStep: 'a' },
            { sqs: { arn: 'arn:aws:sqs:eu-west-1:1:durable-tasks-a', filterPatterns: [{ body: ['x'] }] } },
          ),
        },
      },
      'functions.charge.events[1].sqs.filterPatterns: expected no filter on the tasks queue of "a": it deletes every task that it does not match; remove this event',
    ],
    [
      'a second consumer of a tasks queue',
      {
        functions: {
          charge: functionWith({ durableStep: 'a' }),
          other: functionWith({ sqs: { arn: { 'Fn::Join': [':', ['arn', 'durable-tasks-a']] } } }),
        },
      },
      `functions.other.events[0].sqs: expected one consumer of the tasks queue of "a", got another beside ${at}; remove it`,
    ],
    [
      'two functions for dead letters',
      { functions: { a: functionWith({ durableDeadLetters: true }), b: functionWith({ durableDeadLetters: {} }) } },
      'functions.b.events[0].durableDeadLetters: expected one function for all dead letters, got functions.a.events[0].durableDeadLetters too; remove one',
    ],
    [
      'dead letters that are not asked for',
      { functions: { a: functionWith({ durableDeadLetters: 'yes' }) } },
      'functions.a.events[0].durableDeadLetters: expected true, or an object of batchSize, maximumConcurrency, enabled, got "yes"',
    ],
    [
      'a partition under a namespace',
      { durable: { namespace: 'blue' }, step: { name: 'a', partition: 'acme' } },
      `${at}: expected no partition under a namespace, got the routing token "a@acme"; an engine with a namespace refuses its tasks; remove the partition or custom.durable.namespace`,
    ],
  ])('%s', (_, parts, expected) => {
    const mistakes = mistakesIn(serviceOf(parts));
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]).toContain(expected);
  });

  it('refuses what the plugin sets where the provider sets it for all functions', () => {
    const service = (functions: object) => ({ provider: { runtime: 'nodejs24.x', environment: { DURABLE_NAMESPACE: 'acme' } }, functions });
    expect(mistakesIn(service({ charge: functionWith({ durableStep: 'a' }) }))).toEqual([
      'provider.environment.DURABLE_NAMESPACE: expected nothing, the plugin sets it; remove it and use custom.durable',
    ]);
    expect(mistakesIn(service({ charge: functionWith() }))).toEqual([]);
  });

  it.each([
    ['batchSize', 1, 10_000],
    ['batchWindow', 0, 300],
    ['maximumConcurrency', 2, 1_000],
    ['maxReceiveCount', 1, 1_000],
    ['visibilityTimeout', 1, 43_200],
  ])('takes a %s from %i to %i, as AWS does', (key, least, most) => {
    const refusal = (value: unknown) => mistakesIn(serviceOf({ step: { name: 'a', [key]: value } })).join();
    const range = `${at}.${key}: expected an integer from ${least} to ${most}, got `;
    for (const value of [least, most]) expect(refusal(value)).not.toContain(range);
    for (const value of [least - 1, most + 1, least + 0.5]) expect(refusal(value)).toContain(`${range}${value}`);
  });

  it.each([
    ['minimum', 2, 200],
    ['maximum', 2, 2_000],
  ])('takes a %s of provisioned pollers from %i to %i, as AWS does', (key, least, most) => {
    const refusal = (value: number) =>
      mistakesIn(serviceOf({ step: { name: 'a', provisionedPollers: { minimum: 2, maximum: 2_000, [key]: value } } })).join();
    const range = `${at}.provisionedPollers.${key}: expected an integer from ${least} to ${most}, got `;
    for (const value of [least, most]) expect(refusal(value)).toBe('');
    for (const value of [least - 1, most + 1]) expect(refusal(value)).toContain(`${range}${value}`);
  });

  it('lets a function be stopped whose mappings are stopped', () => {
    expect(mistakesIn(serviceOf({ step: { name: 'a', enabled: false }, fn: { reservedConcurrency: 0 } }))).toEqual([]);
  });

  it('names all mistakes of a file at once', () => {
    const mistakes = mistakesIn(
      serviceOf({ durable: { kmsKey: 5 }, step: { name: 'a', batchSize: 0, fifo: 'maybe' }, fn: { runtime: 'nodejs18.x' } }),
    );
    expect(mistakes.map((line) => line.split(':')[0])).toEqual([
      'custom.durable.kmsKey',
      'functions.charge.runtime',
      `${at}.batchSize`,
      `${at}.fifo`,
    ]);
  });

  it('prints no long value, which may be a secret', () => {
    expect(mistakesIn(serviceOf({ durable: { kmsKey: 'x'.repeat(81) }, step: 'a' })).join()).not.toContain('xxx');
  });
});
