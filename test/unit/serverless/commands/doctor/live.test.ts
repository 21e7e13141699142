import { describe, expect, it } from 'vitest';
import { SqsRequestError } from '../../../../../src/errors.ts';
import { type AdminLambda, LambdaRequestError } from '../../../../../src/serverless/commands/aws/admin-lambda.ts';
import type { AdminSqs } from '../../../../../src/serverless/commands/aws/admin-sqs.ts';
import { type LambdaConnection, openLambda } from '../../../../../src/serverless/commands/aws/connect.ts';
import { doctorCommand } from '../../../../../src/serverless/commands/doctor/command.ts';
import { liveMapping, liveQueue } from '../../../../../src/serverless/commands/doctor/live-facts.ts';
import { readLiveService } from '../../../../../src/serverless/commands/doctor/live-service.ts';
import { queuePlan } from '../../../../../src/serverless/queue-plan.ts';
import { adminSqs, serviceOf, testContext } from '../context.ts';

const arn = (name: string) => `arn:aws:sqs:eu-central-1:1:${name}`;
const deadLetters = { functions: { dead: { handler: 'dead.handler', events: [{ durableDeadLetters: true }] } } };
const service = serviceOf({ pay: 'pay' }, deadLetters);

/** An account that has all queues of the service but some, and further ones with a message each. */
function sqsWith({ without = [], others = [] }: { without?: string[]; others?: string[] }, more: Partial<AdminSqs> = {}): AdminSqs {
  const names = [...queuePlan(service).map(({ name }) => name), ...others];
  return adminSqs({
    findQueueUrl: async (name) => (names.includes(name) && !without.includes(name) ? `https://sqs/1/${name}` : undefined),
    listQueues: async () => names.map((name) => `https://sqs/1/${name}`),
    attributes: async (url) => {
      const name = url.split('/').at(-1) ?? '';
      return { QueueArn: arn(name), ApproximateNumberOfMessages: others.includes(name) ? '1' : '0' };
    },
    ...more,
  });
}

/** A Lambda whose mappings read the named queues. */
function lambdaOf(...queues: string[]): AdminLambda {
  return {
    mappingsOfQueue: async (queueArn) =>
      queues.map(arn).includes(queueArn) ? [{ UUID: 'u', EventSourceArn: queueArn, FunctionArn: 'gone' }] : [],
    functionFacts: async () => undefined,
    destroy() {},
  };
}

const WELL = ['shop-tasks-pay', 'shop-dead-letters-pay'];
const found = async (sqs: AdminSqs, connection: LambdaConnection) => {
  const { findings } = await readLiveService(service, sqs, connection);
  return findings.map(({ severity, id, where, why }) => `${severity} ${id} | ${where} | ${why}`);
};

describe('doctor on AWS', () => {
  it('finds nothing where every queue exists and has its mapping', async () => {
    expect(await found(sqsWith({}), { lambda: lambdaOf(...WELL) })).toEqual([]);
  });

  it('finds a queue that does not exist', async () => {
    expect(await found(sqsWith({ without: ['shop-parked-pay'] }), { lambda: lambdaOf(...WELL) })).toEqual([
      'error queue-missing | live: shop-parked-pay | the service has this queue, and it does not exist in this account and region',
    ]);
  });

  it('only warns of a missing results queue that another service owns', async () => {
    const resultsQueue = {
      owned: false,
      name: 'all-results',
      url: 'https://sqs.eu-west-1.amazonaws.com/2/all-results',
      arn: 'arn:aws:sqs:eu-west-1:2:all-results',
      fifo: false,
      engineFunction: false,
    } as const;
    const { findings } = await readLiveService({ ...service, resultsQueue }, sqsWith({}), { lambda: lambdaOf(...WELL) });
    expect(findings.map(({ severity, id, where }) => `${severity} ${id} ${where}`)).toEqual(['warning queue-missing live: all-results']);
  });

  it('finds tasks and dead-letter queues without a mapping', async () => {
    expect(await found(sqsWith({}), { lambda: lambdaOf() })).toEqual([
      'error mapping-missing | live: shop-dead-letters-pay | no function is mapped to this dead-letter queue: the engine is never told of its dead letters, and their runs wait for ever',
      'error mapping-missing | live: shop-tasks-pay | no function is mapped to this tasks queue: its tasks wait until they expire',
    ]);
  });

  it('finds left-over queues without a mapping, and says where mappings could not be read', async () => {
    const sqs = sqsWith({ others: ['shop-tasks-old', 'shop-tasks-elsewhere'] });
    const lambda = lambdaOf(...WELL, 'shop-tasks-elsewhere');
    expect(await found(sqs, { lambda })).toEqual([
      expect.stringMatching(/^warning removed-step-not-empty .*shop-tasks-old .* no mapping reads it/),
    ]);
    expect(await found(sqs, { none: 'not installed' })).toEqual([
      expect.stringMatching(/shop-tasks-old .*mappings could not be read/),
      expect.stringMatching(/shop-tasks-elsewhere .*mappings could not be read/),
    ]);
  });

  it('judges the queues that it may see where Lambda or SQS refuses the rest', async () => {
    const refusal = new LambdaRequestError('Lambda ListEventSourceMappings failed: AccessDeniedException');
    const refusing: AdminLambda = { ...lambdaOf(), mappingsOfQueue: () => Promise.reject(refusal) };
    const without = sqsWith({ without: ['shop-results'] });
    expect(await readLiveService(service, without, { lambda: refusing })).toMatchObject({
      findings: [{ id: 'queue-missing' }],
      lambdaProblem: refusal,
    });

    const denied = new SqsRequestError('GetQueueAttributes', 'AccessDenied', false);
    const all = sqsWith({ others: ['shop-tasks-old'] });
    const attributes: AdminSqs['attributes'] = (url) => (url.endsWith('old') ? Promise.reject(denied) : all.attributes(url));
    expect(await readLiveService(service, { ...all, attributes }, { lambda: lambdaOf(...WELL) })).toMatchObject({
      findings: [],
      listProblem: undefined,
    });
    const listQueues = () => Promise.reject(denied);
    expect(await readLiveService(service, { ...all, listQueues }, { lambda: lambdaOf(...WELL) })).toMatchObject({
      findings: [],
      listProblem: denied,
    });
  });

  it('fails with --live where Lambda refuses, and prints a note otherwise', async () => {
    const refusing: AdminLambda = { ...lambdaOf(), mappingsOfQueue: () => Promise.reject(new LambdaRequestError('Lambda refused')) };
    const world = { service, openSqs: () => sqsWith({}), openLambda: () => refusing };
    const noted = testContext({ ...world, options: { json: true } });
    await doctorCommand.run(noted.context);
    expect(JSON.parse(noted.terminal.out).notes).toContain('mappings and functions were not examined: Lambda refused');
    await expect(doctorCommand.run(testContext({ ...world, options: { live: true } }).context)).rejects.toThrow('Lambda refused');
  });
});

describe('openLambda', () => {
  const endpoint = 'http://127.0.0.1:5000';
  it.each<[string, Record<string, unknown>, Record<string, string>, string | undefined]>([
    ['gives no Lambda with --local', { local: true }, { AWS_ENDPOINT_URL: endpoint }, '"sls durable local" has no Lambda'],
    [
      'gives no Lambda where only an SQS endpoint is set',
      {},
      { AWS_ENDPOINT_URL_SQS: endpoint },
      'AWS_ENDPOINT_URL_SQS names an SQS outside AWS; AWS_ENDPOINT_URL_LAMBDA says where its Lambda is',
    ],
    ['asks AWS without any endpoint', {}, {}, undefined],
    [
      "asks AWS where the SQS endpoint is one of AWS's own",
      {},
      { AWS_ENDPOINT_URL_SQS: 'https://vpce-1.sqs.eu-central-1.vpce.amazonaws.com' },
      undefined,
    ],
    ['asks the --endpoint', { endpoint }, { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }, endpoint],
    ['asks AWS_ENDPOINT_URL', {}, { AWS_ENDPOINT_URL: endpoint, AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:1' }, endpoint],
    ['prefers AWS_ENDPOINT_URL_LAMBDA to all others', { endpoint: 'http://127.0.0.1:1' }, { AWS_ENDPOINT_URL_LAMBDA: endpoint }, endpoint],
  ])('%s', (_, options, env, expected) => {
    const asked: (string | undefined)[] = [];
    const { context } = testContext({
      service,
      options,
      env,
      openLambda: (settings) => {
        asked.push(settings.endpoint);
        return lambdaOf();
      },
    });
    const opened = openLambda(context);
    expect('none' in opened ? opened.none : asked[0]).toBe(expected);
  });
});

describe('facts of AWS', () => {
  it('have the fields of those of a template', () => {
    const arn = 'arn:aws:sqs:eu-central-1:1:shop-tasks-pay';
    const queue = liveQueue('shop-tasks-pay', {
      QueueArn: arn,
      VisibilityTimeout: '180',
      MessageRetentionPeriod: '345600',
      RedrivePolicy: '{"deadLetterTargetArn":"dead","maxReceiveCount":"10"}',
      ApproximateNumberOfMessages: '2',
      ApproximateNumberOfMessagesNotVisible: '1',
    });
    expect(queue).toEqual({
      id: arn,
      name: 'shop-tasks-pay',
      visibilityTimeoutSeconds: 180,
      retentionSeconds: 345_600,
      redrive: { to: 'dead', maxReceiveCount: 10 },
      messages: 3,
    });
    const mapping = liveMapping({
      UUID: 'u',
      EventSourceArn: arn,
      FunctionArn: 'f',
      State: 'Disabled',
      FilterCriteria: { Filters: [{}] },
    });
    expect(mapping).toMatchObject({
      queueId: arn,
      functionId: 'f',
      enabled: false,
      filters: true,
      reportsItemFailures: false,
      batchSize: 10,
    });
  });
});
