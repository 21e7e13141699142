import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../../src/errors.ts';
import type { AdminSqs } from '../../../src/serverless/commands/aws/admin-sqs.ts';
import type { Facts, QueueFacts } from '../../../src/serverless/commands/doctor/facts.ts';
import { liveQueue } from '../../../src/serverless/commands/doctor/live-facts.ts';
import { judge } from '../../../src/serverless/commands/doctor/rules/index.ts';
import { templateFacts } from '../../../src/serverless/commands/doctor/template.ts';
import { createPlan } from '../../../src/serverless/commands/local/queues.ts';
import { queuePlan } from '../../../src/serverless/queue-plan.ts';
import { readDurableService } from '../../../src/serverless/read-service.ts';
import { queueResources } from '../../../src/serverless/resources/queues.ts';
import { QueueDirectory } from '../../../src/sqs/queue-directory.ts';
import { kindOfQueueName, longestLifeDays, QUEUES, type QueueKind } from '../../../src/topology/queue-kinds.ts';
import { deadLetterQueueName, resultsQueueName, startRunQueueName, tasksQueueName } from '../../../src/topology/queue-names.ts';
import { functionWith, serviceOf } from '../serverless/services.ts';

/*
 * Every kind of queue, in the order of creation, as every renderer must make it: for the step "pay" whose function
 * times out after 30 s. The figures stand here once more, so that none changes by accident.
 */
interface Expected {
  readonly kind: QueueKind;
  readonly name: string;
  readonly days: number;
  readonly visibilitySeconds: number;
  readonly redrive?: { readonly to: string; readonly after: number; readonly doctorWarnsBelow: number };
  /** Whether there is one, beside the standard queue. @default true */
  readonly fifo?: false;
}

const EXPECTED: readonly Expected[] = [
  { kind: 'results-dead-letters', name: 'shop-results-dead-letters', days: 14, visibilitySeconds: 30 },
  {
    kind: 'results',
    name: 'shop-results',
    days: 10,
    visibilitySeconds: 30,
    redrive: { to: 'shop-results-dead-letters', after: 100, doctorWarnsBelow: 50 },
  },
  { kind: 'start-run-dead-letters', name: 'shop-start-run-dead-letters', days: 14, visibilitySeconds: 30, fifo: false },
  {
    kind: 'start-run',
    name: 'shop-start-run',
    days: 10,
    visibilitySeconds: 30,
    redrive: { to: 'shop-start-run-dead-letters', after: 20, doctorWarnsBelow: 5 },
    fifo: false,
  },
  { kind: 'parked', name: 'shop-parked-pay', days: 14, visibilitySeconds: 30 },
  {
    kind: 'dead-letters',
    name: 'shop-dead-letters-pay',
    days: 14,
    visibilitySeconds: 180,
    redrive: { to: 'shop-parked-pay', after: 10, doctorWarnsBelow: 5 },
  },
  {
    kind: 'tasks',
    name: 'shop-tasks-pay',
    days: 4,
    visibilitySeconds: 180,
    redrive: { to: 'shop-dead-letters-pay', after: 10, doctorWarnsBelow: 5 },
  },
];

const nameOf = ({ name, fifo }: Expected, ending: string) => (fifo === false ? name : `${name}${ending}`);

const DAY_SECONDS = 86_400;
const arn = (name: string) => `arn:aws:sqs:eu-west-1:123456789012:${name}`;

/** What AWS has to know of a queue, as `CreateQueue` takes it. */
function expectedAttributes({ days, visibilitySeconds, redrive }: Expected, ending: string): Record<string, string> {
  const fifo = {
    FifoQueue: 'true',
    ContentBasedDeduplication: 'false',
    DeduplicationScope: 'messageGroup',
    FifoThroughputLimit: 'perMessageGroupId',
  };
  return {
    ...(ending === '' ? {} : fifo),
    MessageRetentionPeriod: String(days * DAY_SECONDS),
    VisibilityTimeout: String(visibilitySeconds),
    ReceiveMessageWaitTimeSeconds: '20',
    SqsManagedSseEnabled: 'true',
    ...(redrive && {
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: arn(`${redrive.to}${ending}`), maxReceiveCount: redrive.after }),
    }),
  };
}

const deploymentOf = (fifo: boolean, more: { durable?: object; functions?: object } = {}) =>
  readDurableService(
    serviceOf({
      durable: { prefix: 'shop', resultsQueue: { fifo }, startRuns: true, ...more.durable },
      functions: { pay: functionWith({ durableStep: { name: 'pay', fifo } }), ...more.functions },
    }),
  );

type Made = ReadonlyMap<string, Readonly<Record<string, string>>>;

async function byAutoCreate(fifo: boolean): Promise<Made> {
  const made = new Map<string, Readonly<Record<string, string>>>();
  const directory = new QueueDirectory({
    api: {
      findQueueUrl: async () => undefined,
      createQueue: async (name, attributes) => {
        made.set(name, attributes);
        return `https://sqs.eu-west-1.amazonaws.com/123456789012/${name}`;
      },
      queueAttributes: async (url) => ({ QueueArn: arn(url.split('/').at(-1) ?? '') }),
      region: async () => 'eu-west-1',
    },
    prefix: 'shop',
    autoCreate: true,
    stepTimeoutSeconds: 30,
    fifo: { tasks: fifo, results: fifo },
  });
  await directory.resultsQueueUrl();
  await directory.startRunQueueUrl();
  await directory.tasksQueueUrl('pay');
  return made;
}

async function byDurableLocal(fifo: boolean): Promise<Made> {
  const made = new Map<string, Readonly<Record<string, string>>>();
  const sqs: Pick<AdminSqs, 'createQueue' | 'attributes'> = {
    createQueue: async (name, attributes) => {
      made.set(name, attributes);
      return `http://127.0.0.1:9324/000000000000/${name}`;
    },
    attributes: async (url) => ({ QueueArn: arn(url.split('/').at(-1) ?? '') }),
  };
  await createPlan(sqs, queuePlan(deploymentOf(fifo)), 'http://127.0.0.1:9324');
  return made;
}

/** Properties as attributes: text, with the ARN that a reference stands for. */
function byCloudFormation(fifo: boolean): Made {
  const queues = Object.entries(queueResources(deploymentOf(fifo))).filter(([, { Type }]) => Type === 'AWS::SQS::Queue');
  const nameById = new Map(queues.map(([id, { Properties }]) => [id, String(Properties['QueueName'])]));
  return new Map(
    queues.map(([id, { Properties }]) => {
      const { QueueName: _name, RedrivePolicy: policy, ...plain } = Properties;
      const attributes = Object.fromEntries(Object.entries(plain).map(([name, value]) => [name, String(value)]));
      const text = JSON.stringify(policy, (_key, value: unknown) => {
        const [target]: unknown[] = Object(value)['Fn::GetAtt'] ?? [];
        return typeof target === 'string' ? arn(nameById.get(target) ?? '') : value;
      });
      return [nameById.get(id) ?? '', text === undefined ? attributes : { ...attributes, RedrivePolicy: text }];
    }),
  );
}

describe.each([
  ['standard', false, ''],
  ['FIFO', true, '.fifo'],
])('%s queues', (_, fifo, ending) => {
  it.each(EXPECTED)('$kind: autoCreate, durable local and CloudFormation make the same queue', async (expected) => {
    const name = nameOf(expected, ending);
    const attributes = expectedAttributes(expected, expected.fifo === false ? '' : ending);
    expect({
      autoCreate: (await byAutoCreate(fifo)).get(name),
      durableLocal: (await byDurableLocal(fifo)).get(name),
      cloudFormation: byCloudFormation(fifo).get(name),
    }).toEqual({ autoCreate: attributes, durableLocal: attributes, cloudFormation: attributes });
  });

  it('autoCreate, durable local and CloudFormation make all of them and no others, each after the one it redrives to', async () => {
    const names = EXPECTED.map((queue) => nameOf(queue, ending));
    expect([...(await byAutoCreate(fifo)).keys()]).toEqual(names);
    expect([...(await byDurableLocal(fifo)).keys()]).toEqual(names);
    expect([...byCloudFormation(fifo).keys()]).toEqual(names);
  });

  it.each(EXPECTED)('$kind: the name tells the kind', ({ kind, ...queue }) => {
    const name = nameOf({ kind, ...queue }, ending);
    expect(kindOfQueueName(name)).toBe(kind);
    expect(kindOfQueueName(name, 'shop')).toBe(kind);
    expect(kindOfQueueName(name, 'other')).toBeUndefined();
  });
});

it('the table above lists every kind', () => {
  // Made for an engine in a function, and for nothing else.
  const ofEveryService = Object.keys(QUEUES).filter((kind) => kind !== 'wake-ups');
  expect(EXPECTED.map(({ kind }) => kind).sort()).toEqual(ofEveryService.sort());
});

describe('an engine in a function that times out after 20 s', () => {
  const functions = { engine: { handler: 'engine.handler', timeout: 20, events: [{ durableEngine: true }] } };
  const seen = (deployment: ReturnType<typeof readDurableService>) =>
    Object.values(queueResources(deployment))
      .filter(({ Type }) => Type === 'AWS::SQS::Queue')
      .map(({ Properties }) => [Properties['QueueName'], Properties['VisibilityTimeout'], Properties['MessageRetentionPeriod']]);

  it('has a queue of wake-ups for an hour without a dead-letter queue, and hides what it reads for six timeouts', () => {
    const queues = seen(deploymentOf(false, { functions }));
    expect(queues.slice(0, 5)).toEqual([
      ['shop-results-dead-letters', 30, 14 * DAY_SECONDS],
      ['shop-results', 120, 10 * DAY_SECONDS],
      ['shop-start-run-dead-letters', 30, 14 * DAY_SECONDS],
      ['shop-start-run', 120, 10 * DAY_SECONDS],
      ['shop-wake-ups', 120, 3_600],
    ]);
  });

  it('has the queues of the steps as they are with any engine', () => {
    expect(seen(deploymentOf(false, { functions })).slice(5)).toEqual(seen(deploymentOf(false)).slice(4));
  });
});

it.each(EXPECTED.filter(({ kind }) => !kind.startsWith('start-run')))(
  '$kind: no prefix holds the kind, so a name has one kind only',
  ({ kind }) => {
    expect(() => tasksQueueName('pay', `shop-${kind}`)).toThrow(ConfigurationError);
  },
);

it('start-run: a prefix that ends so gives names of other kinds, so a name has one kind only', () => {
  const prefix = 'shop-start-run';
  expect(kindOfQueueName(tasksQueueName('pay', prefix))).toBe('tasks');
  expect(kindOfQueueName(deadLetterQueueName('pay', prefix))).toBe('dead-letters');
  expect(kindOfQueueName(resultsQueueName(prefix))).toBe('results');
  expect(kindOfQueueName(startRunQueueName(prefix))).toBe('start-run');
});

describe('doctor', () => {
  const settings = { stepSeconds: undefined, handlerConcurrency: 10, prefix: 'shop', enginePrefix: undefined };
  const FUNCTION = 'arn:aws:lambda:eu-west-1:123456789012:function:shop-pay';
  const mapping = (queueId: string, batchWindowSeconds: number) => ({
    id: queueId,
    queueId,
    functionId: FUNCTION,
    batchSize: 10,
    batchWindowSeconds,
    maximumConcurrency: undefined,
    reportsItemFailures: true,
    enabled: true,
    filters: false,
  });

  /**
   * The queues on AWS as autoCreate makes them, with one that is changed, and a function behind tasks and dead letters.
   */
  async function adviceFor(changed: string, change: Partial<QueueFacts>, batchWindowSeconds = 0): Promise<string[]> {
    const queues = [...(await byAutoCreate(false))].map(([name, attributes]) => {
      const queue = liveQueue(name, { ...attributes, QueueArn: arn(name) });
      return name === changed ? { ...queue, ...change } : queue;
    });
    const fn = {
      id: FUNCTION,
      name: 'shop-pay',
      runtime: 'nodejs24.x',
      timeoutSeconds: 30,
      reservedConcurrency: undefined,
      prefix: 'shop',
    };
    const mappings = [mapping(arn('shop-tasks-pay'), batchWindowSeconds), mapping(arn('shop-dead-letters-pay'), 0)];
    const facts: Facts = { source: 'live', queues, functions: [fn], mappings, watchedQueues: undefined, prefix: 'shop' };
    return judge(facts, settings).map(({ id, fix }) => `${id}: ${fix}`);
  }

  it('finds nothing wrong with what autoCreate makes, nor with what CloudFormation does', async () => {
    expect(await adviceFor('', {})).toEqual([]);
    const template = templateFacts(queueResources(deploymentOf(false)), 'shop');
    expect(judge({ ...template, watchedQueues: undefined }, settings)).toEqual([]);
  });

  it.each(EXPECTED)('$kind: advises the figures that the others render', async ({ name, redrive, days }) => {
    if (redrive === undefined) {
      expect(await adviceFor(name, { redrive: undefined })).toEqual([]);
      return;
    }
    const { to, after, doctorWarnsBelow } = redrive;
    expect(await adviceFor(name, { redrive: { to: arn(to), maxReceiveCount: doctorWarnsBelow } })).toEqual([]);
    expect(await adviceFor(name, { redrive: { to: arn(to), maxReceiveCount: doctorWarnsBelow - 1 } })).toEqual([
      `max-receive-count-low: set maxReceiveCount to ${after}`,
    ]);
    expect(await adviceFor(name, { redrive: { to: arn(to), maxReceiveCount: undefined } })).toEqual([
      `no-max-receive-count: set maxReceiveCount to ${after}`,
    ]);
    expect(await adviceFor(name, { redrive: undefined })).toEqual([
      expect.stringMatching(new RegExp(`^no-dead-letter-queue: .* maxReceiveCount ${after}$`)),
    ]);
    const target = EXPECTED.find((queue) => queue.name === to);
    expect(await adviceFor(to, { retentionSeconds: Math.min(days, 13) * DAY_SECONDS })).toEqual([
      `dead-letter-retention: set its MessageRetentionPeriod to ${(target?.days ?? 0) * DAY_SECONDS} (14 d)`,
    ]);
  });

  it('counts the batch window into what a visibility timeout must cover', async () => {
    expect(await adviceFor('shop-tasks-pay', { visibilityTimeoutSeconds: 185 }, 5)).toEqual([]);
    expect(await adviceFor('shop-tasks-pay', { visibilityTimeoutSeconds: 35 }, 5)).toEqual([
      'visibility-below-advice: set the visibility timeout to 185 s',
    ]);
    expect(await adviceFor('shop-tasks-pay', { visibilityTimeoutSeconds: 34 }, 5)).toEqual([
      'visibility-below-timeout: set the visibility timeout to 185 s',
    ]);
  });

  it.each(EXPECTED.filter(({ visibilitySeconds }) => visibilitySeconds === 180))(
    '$kind: advises the visibility timeout that the others render',
    async ({ name, visibilitySeconds }) => {
      expect(await adviceFor(name, { visibilityTimeoutSeconds: visibilitySeconds - 1 })).toEqual([
        `visibility-below-advice: set the visibility timeout to ${visibilitySeconds} s`,
      ]);
      expect(await adviceFor(name, { visibilityTimeoutSeconds: 29 })).toEqual([
        `visibility-below-timeout: set the visibility timeout to ${visibilitySeconds} s`,
      ]);
    },
  );
});

it('a stored body is needed for as long as dead letters and parked messages are kept, on FIFO queues for the tasks’ days too', () => {
  expect(longestLifeDays({ fifo: false })).toBe(28);
  expect(longestLifeDays({ fifo: true })).toBe(32);
});

describe('a service that says more', () => {
  const deadLetters = { dead: { ...functionWith({ durableDeadLetters: true }), timeout: 20 } };
  const visibility = (kind: QueueKind, deployment = deploymentOf(false, { functions: deadLetters })) =>
    queuePlan(deployment).find((queue) => queue.kind === kind)?.visibilityTimeoutSeconds;

  it('hides dead letters for six timeouts of their own function, where there is one', () => {
    expect(visibility('dead-letters')).toBe(120);
    expect(visibility('tasks')).toBe(180);
    expect(visibility('parked')).toBe(30);
  });

  it('has its own receives and visibility on its tasks queue, and on no other', () => {
    const pay = functionWith({ durableStep: { name: 'pay', maxReceiveCount: 7, visibilityTimeout: 500 } });
    const plan = queuePlan(deploymentOf(false, { functions: { pay, ...deadLetters } }));
    expect(plan.map(({ kind, redrive, visibilityTimeoutSeconds }) => [kind, redrive?.maxReceiveCount, visibilityTimeoutSeconds])).toEqual([
      ['results-dead-letters', undefined, 30],
      ['results', 100, 30],
      ['start-run-dead-letters', undefined, 30],
      ['start-run', 20, 30],
      ['parked', undefined, 30],
      ['dead-letters', 10, 120],
      ['tasks', 7, 500],
    ]);
  });

  it('leaves a shared results queue to its owner, and its dead letters too', () => {
    const url = 'https://sqs.eu-west-1.amazonaws.com/123456789012/all-results.fifo';
    const shared = deploymentOf(false, { durable: { resultsQueue: { url, arn: arn('all-results.fifo') } } });
    expect(queuePlan(shared)[0]).toMatchObject({ name: 'all-results.fifo', kind: 'results', fifo: true, redrive: undefined });
    expect(Object.keys(queueResources(shared)).filter((id) => id.includes('Results'))).toEqual([]);
  });

  it('encrypts every queue with its own key', () => {
    const resources = Object.values(queueResources(deploymentOf(false, { durable: { kmsKey: true } })));
    for (const { Properties } of resources.filter(({ Type }) => Type === 'AWS::SQS::Queue')) {
      expect(Properties).toMatchObject({ KmsMasterKeyId: { 'Fn::GetAtt': ['DurableKey', 'Arn'] } });
      expect(Properties).not.toHaveProperty('SqsManagedSseEnabled');
    }
  });
});
