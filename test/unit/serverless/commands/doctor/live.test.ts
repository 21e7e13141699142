import { describe, expect, it } from 'vitest';
import { SqsRequestError } from '../../../../../src/errors.ts';
import { type AdminLambda, LambdaRequestError } from '../../../../../src/serverless/commands/aws/admin-lambda.ts';
import type { AdminSqs } from '../../../../../src/serverless/commands/aws/admin-sqs.ts';
import { openLambda } from '../../../../../src/serverless/commands/aws/connect.ts';
import { doctorCommand } from '../../../../../src/serverless/commands/doctor/command.ts';
import { type LambdaSource, mappingFacts, queueFacts, readLive } from '../../../../../src/serverless/commands/doctor/live.ts';
import { queuePlan } from '../../../../../src/serverless/commands/queue-plan.ts';
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
const found = async (sqs: AdminSqs, source: LambdaSource) => {
  const { findings } = await readLive(service, sqs, source);
  return findings.map(({ severity, id, where, why }) => `${severity} ${id} | ${where} | ${why}`);
};

describe('doctor, looking at AWS', () => {
  it('finds nothing where every queue is there and read', async () => {
    expect(await found(sqsWith({}), { ask: lambdaOf(...WELL) })).toEqual([]);
  });

  it('finds a queue that does not exist', async () => {
    expect(await found(sqsWith({ without: ['shop-parked-pay'] }), { ask: lambdaOf(...WELL) })).toEqual([
      'error queue-missing | live: shop-parked-pay | the service has this queue, and it does not exist in this account and region',
    ]);
  });

  it('is not sure of a results queue that another service owns: it may be in another account', async () => {
    const resultsQueue = {
      owned: false,
      url: 'https://sqs.eu-west-1.amazonaws.com/2/all-results',
      arn: 'arn:aws:sqs:eu-west-1:2:all-results',
      fifo: false,
    } as const;
    const { findings } = await readLive({ ...service, resultsQueue }, sqsWith({}), { ask: lambdaOf(...WELL) });
    expect(findings.map(({ severity, id, where }) => `${severity} ${id} ${where}`)).toEqual(['warning queue-missing live: all-results']);
  });

  it('finds queues that no function reads', async () => {
    expect(await found(sqsWith({}), { ask: lambdaOf() })).toEqual([
      'error mapping-missing | live: shop-dead-letters-pay | no function is mapped to this dead-letter queue: no run is told of its dead letters, and waits for ever',
      'error mapping-missing | live: shop-tasks-pay | no function is mapped to this tasks queue: its tasks wait until they expire',
    ]);
  });

  it('says of a left-over queue whether anybody reads it, and that it does not know where Lambda was not asked', async () => {
    const sqs = sqsWith({ others: ['shop-tasks-old', 'shop-tasks-elsewhere'] });
    const ask = lambdaOf(...WELL, 'shop-tasks-elsewhere');
    expect(await found(sqs, { ask })).toEqual([
      expect.stringMatching(/^warning removed-step-not-empty .*shop-tasks-old .* no mapping reads it/),
    ]);
    expect(await found(sqs, { unasked: 'none' })).toEqual([
      expect.stringMatching(/shop-tasks-old .*mappings could not be asked/),
      expect.stringMatching(/shop-tasks-elsewhere .*mappings could not be asked/),
    ]);
  });

  it("judges the queues where Lambda refuses, and what it may see of others' queues", async () => {
    const refusal = new LambdaRequestError('Lambda ListEventSourceMappings failed: AccessDeniedException');
    const refusing: AdminLambda = { ...lambdaOf(), mappingsOfQueue: () => Promise.reject(refusal) };
    const without = sqsWith({ without: ['shop-results'] });
    expect(await readLive(service, without, { ask: refusing })).toMatchObject({
      findings: [{ id: 'queue-missing' }],
      lambdaProblem: refusal,
    });

    const denied = new SqsRequestError('GetQueueAttributes', 'AccessDenied', false);
    const all = sqsWith({ others: ['shop-tasks-old'] });
    const attributes: AdminSqs['attributes'] = (url) => (url.endsWith('old') ? Promise.reject(denied) : all.attributes(url));
    expect(await readLive(service, { ...all, attributes }, { ask: lambdaOf(...WELL) })).toMatchObject({
      findings: [],
      listProblem: undefined,
    });
    const listQueues = () => Promise.reject(denied);
    expect(await readLive(service, { ...all, listQueues }, { ask: lambdaOf(...WELL) })).toMatchObject({
      findings: [],
      listProblem: denied,
    });
  });

  it('fails with --live where Lambda refuses, and notes it otherwise', async () => {
    const refusing: AdminLambda = { ...lambdaOf(), mappingsOfQueue: () => Promise.reject(new LambdaRequestError('Lambda refused')) };
    const world = { service, openSqs: () => sqsWith({}), openLambda: () => refusing };
    const noted = testContext({ ...world, options: { json: true } });
    await doctorCommand(noted.context);
    expect(JSON.parse(noted.terminal.out).notes).toContain('mappings and functions were not looked at: Lambda refused');
    await expect(doctorCommand(testContext({ ...world, options: { live: true } }).context)).rejects.toThrow('Lambda refused');
  });
});

describe('where doctor asks for Lambda', () => {
  const endpoint = 'http://127.0.0.1:5000';
  it.each<[string, Record<string, unknown>, Record<string, string>, string | undefined]>([
    ['nowhere with --local', { local: true }, { AWS_ENDPOINT_URL: endpoint }, '"sls durable local" has no Lambda'],
    [
      'nowhere beside an SQS that stands alone',
      {},
      { AWS_ENDPOINT_URL_SQS: endpoint },
      'AWS_ENDPOINT_URL_SQS names an SQS outside AWS; AWS_ENDPOINT_URL_LAMBDA says where its Lambda is',
    ],
    ['at AWS', {}, {}, undefined],
    [
      "at AWS beside an SQS endpoint of AWS's own",
      {},
      { AWS_ENDPOINT_URL_SQS: 'https://vpce-1.sqs.eu-central-1.vpce.amazonaws.com' },
      undefined,
    ],
    ['at --endpoint', { endpoint }, { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }, endpoint],
    ['at AWS_ENDPOINT_URL', {}, { AWS_ENDPOINT_URL: endpoint, AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:1' }, endpoint],
    ['at AWS_ENDPOINT_URL_LAMBDA before all others', { endpoint: 'http://127.0.0.1:1' }, { AWS_ENDPOINT_URL_LAMBDA: endpoint }, endpoint],
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
    expect(typeof opened === 'string' ? opened : asked[0]).toBe(expected);
  });
});

describe('doctor, reading AWS', () => {
  it('makes the same facts of it as of a template', () => {
    const arn = 'arn:aws:sqs:eu-central-1:1:shop-tasks-pay';
    const queue = queueFacts('shop-tasks-pay', {
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
    const mapping = mappingFacts({
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
