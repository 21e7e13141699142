import { describe, expect, it } from 'vitest';
import { openStarter, runStarter } from '../../../src/client/run-starter.ts';
import type { RunStarterOptions } from '../../../src/client/start-options.ts';
import { ConfigurationError, QueueNotFoundError, SqsRequestError } from '../../../src/errors.ts';
import type { OutgoingMessage, ResultSender } from '../../../src/sqs/sqs-api.ts';
import { MemoryPayloads } from '../../support/memory-payloads.ts';

const SECRET = 'card-4111-1111-1111-1111';
const URL_OF_QUEUE = 'https://sqs.eu-west-1.amazonaws.com/1/durable-start-run';

/** SQS with start queues of some prefixes, which fails as it is told to. */
function setUp(options: RunStarterOptions = {}, env: NodeJS.ProcessEnv = {}, names: readonly string[] = ['durable-start-run']) {
  const sent: { url: string; message: OutgoingMessage }[] = [];
  const lookUps: string[] = [];
  const failures: Error[] = [];
  const sqs: ResultSender = {
    async sendMessages(url, messages) {
      const failure = failures.shift();
      for (const message of messages) sent.push({ url, message });
      if (failure !== undefined) throw failure;
      return messages.map(() => ({ ok: true }));
    },
    changeVisibility: async () => [],
    async findQueueUrl(name) {
      lookUps.push(name);
      return names.includes(name) ? `https://sqs.eu-west-1.amazonaws.com/1/${name}` : undefined;
    },
    region: async () => 'eu-west-1',
  };
  const startRun = openStarter(options, env, async () => sqs);
  const bodies = () => sent.map(({ message }): unknown => JSON.parse(message.body));
  return { startRun, sent, lookUps, failures, bodies };
}

describe('startRun', () => {
  it('sends all of a run to the start queue and gives its id', async () => {
    const { startRun, bodies, sent } = setUp();
    const run = { workflow: 'checkout', input: { orderId: 'o-1' }, runId: 'run-1', tags: ['web'], searchAttributes: { tier: 'pro' } };
    expect(await startRun(run)).toEqual({ runId: 'run-1' });
    expect(bodies()).toEqual([{ tenant: 'default', ...run }]);
    expect(sent[0]?.url).toBe(URL_OF_QUEUE);
  });

  it('mints the id of a run that has none, once for all sends', async () => {
    const { startRun, bodies, failures } = setUp();
    failures.push(new SqsRequestError('SendMessageBatch', 'ServiceUnavailable', true));
    const { runId } = await startRun({ workflow: 'checkout', input: 1 });
    expect(runId).toMatch(/^[0-9a-f-]{36}$/);
    expect(bodies()).toEqual([1, 2].map(() => ({ tenant: 'default', workflow: 'checkout', input: 1, runId })));
  });

  it('mints another id for each run', async () => {
    const { startRun } = setUp();
    const runs = await Promise.all([startRun({ workflow: 'checkout' }), startRun({ workflow: 'checkout' })]);
    expect(new Set(runs.map(({ runId }) => runId)).size).toBe(2);
  });

  it('looks the queue up by the prefix of the environment, once', async () => {
    const { startRun, lookUps } = setUp({}, { DURABLE_PREFIX: 'shop', DURABLE_NAMESPACE: 'eu' }, ['shop-eu-start-run']);
    await startRun({ workflow: 'checkout' });
    await startRun({ workflow: 'checkout' });
    expect(lookUps).toEqual(['shop-eu-start-run']);
  });

  it('looks nothing up where the environment gives the URL', async () => {
    const { startRun, lookUps, sent } = setUp({}, { DURABLE_START_RUN_QUEUE_URL: 'https://sqs.eu-west-1.amazonaws.com/1/mine' });
    await startRun({ workflow: 'checkout' });
    expect({ lookUps, urls: sent.map(({ url }) => url) }).toEqual({ lookUps: [], urls: ['https://sqs.eu-west-1.amazonaws.com/1/mine'] });
  });

  it('names the queue that is missing', async () => {
    const { startRun } = setUp({ prefix: 'shop' });
    await expect(startRun({ workflow: 'checkout' })).rejects.toThrow(new QueueNotFoundError('shop-start-run', 'eu-west-1'));
  });

  it('rejects at once what SQS refuses', async () => {
    const { startRun, failures, sent } = setUp();
    failures.push(new SqsRequestError('SendMessageBatch', 'AccessDenied', false));
    await expect(startRun({ workflow: 'checkout' })).rejects.toMatchObject({ sqsCode: 'AccessDenied' });
    expect(sent).toHaveLength(1);
  });

  it('stores a large input where there is a payload store', async () => {
    const payloadStore = new MemoryPayloads();
    const { startRun, bodies } = setUp({ payloadStore });
    await startRun({ workflow: 'checkout', runId: 'run-1', input: 'x'.repeat(2_000_000) });
    expect(payloadStore.subjects).toEqual([{ kind: 'start', runId: 'run-1', stepId: 'checkout' }]);
    expect(bodies()).toEqual([['software.amazon.payloadoffloading.PayloadS3Pointer', expect.anything()]]);
  });

  it('refuses a large input where there is none, with its size, the limit and what to do', async () => {
    const { startRun, sent } = setUp();
    const started = startRun({ workflow: 'checkout', runId: 'run-1', input: 'x'.repeat(2_000_000) });
    await expect(started).rejects.toThrow(/^start of run run-1 \("checkout"\) is 20000\d\d bytes, SQS accepts 1048576\. Give the sender/);
    expect(sent).toEqual([]);
  });

  it.each<[object, string]>([
    [{ input: SECRET }, 'expected workflow to be a non-empty string, got nothing'],
    [{ workflow: '', input: SECRET }, 'expected workflow to be a non-empty string, got an empty string'],
    [{ workflow: 'a', runId: 4, input: SECRET }, 'expected runId to be a non-empty string, got 4'],
    [{ workflow: 'a', tags: [1], input: SECRET }, 'expected tags to be an array of strings, got an array'],
    [{ workflow: 'a', searchAttributes: { a: [SECRET] } }, 'expected searchAttributes to be an object of strings, numbers and booleans'],
    [{ workflow: 'a', inptu: SECRET }, 'unknown option "inptu", expected one of input, runId, searchAttributes, tags, workflow'],
  ])('refuses %o, and shows no input', async (run, problem) => {
    const { startRun, sent } = setUp();
    // As a program in JavaScript calls it.
    const refusal: unknown = await Reflect.apply(startRun, undefined, [run]).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(ConfigurationError);
    expect(String(refusal)).toContain(`startRun: ${problem}`);
    expect(String(refusal)).not.toContain(SECRET);
    expect(sent).toEqual([]);
  });

  it('refuses an input that cannot become JSON', async () => {
    const { startRun } = setUp();
    await expect(startRun({ workflow: 'checkout', input: { amount: 1n } })).rejects.toThrow(TypeError);
  });
});

describe('runStarter', () => {
  it.each<[object, NodeJS.ProcessEnv, string]>([
    [
      { queueUrl: 'arn:aws:sqs:eu-west-1:1:q' },
      {},
      'runStarter: expected queueUrl to be the URL of a queue, got "arn:aws:sqs:eu-west-1:1:q"',
    ],
    [{ prefx: 'a' }, {}, 'runStarter: unknown option "prefx"'],
    [{ client: { send() {} }, clientConfig: {} }, {}, 'runStarter: expected client or clientConfig, got both'],
    [{ payloadStore: {} }, {}, 'runStarter: expected payloadStore to be a payload store with thresholdBytes, put and get, got an object'],
    [{}, { DURABLE_START_RUN_QUEUE_URL: 'mine' }, 'runStarter: expected DURABLE_START_RUN_QUEUE_URL to be the URL of a queue, got "mine"'],
    [{ prefix: 'my shop' }, {}, 'expected prefix to be one or more of A-Z'],
  ])('refuses %o in %o', (options, env, problem) => {
    expect(() => openStarter(options, env)).toThrow(ConfigurationError);
    expect(() => openStarter(options, env)).toThrow(problem);
  });

  it('opens nothing before the first run', () => {
    expect(runStarter({ prefix: 'shop' })).toBeTypeOf('function');
  });
});
