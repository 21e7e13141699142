import { once } from 'node:events';
import { readFile, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { GetQueueUrlCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createQueues, type LocalSqs, startLocalSqs } from '../../src/local/index.ts';
import { type Bundles, bundleHandlers } from '../support/bundles.ts';
import { type InvocationEnd, type LambdaOptions, type LambdaProcess, requireRuntime, startLambda } from '../support/runtime-api.ts';
import { eventOf, eventOfInputs, recordOf, taskFor } from '../support/sqs-records.ts';
import { type StubSqs, startStubSqs } from '../support/stub-sqs.ts';

let bundles: Bundles;
let lambda: LambdaProcess | undefined;

beforeAll(async () => {
  await requireRuntime();
  const own = ['blocker', 'counter', 'sleeper', 'two-at-once', 'mistyped', 'checkout'].map((name) => `test/runtime/handlers/${name}.ts`);
  const handlers = ['charge-card', 'notifications', 'reserve-stock', 'dead-letters'].map((name) => `handlers/${name}.ts`);
  bundles = await bundleHandlers(...handlers, ...own);
});
afterAll(() => bundles?.remove());
afterEach(() => lambda?.stop());

async function start(name: string, options: Partial<LambdaOptions> = {}): Promise<LambdaProcess> {
  lambda = await startLambda({ taskRoot: bundles.folder, handler: `${name}.handler`, ...options });
  return lambda;
}

const consumed = (...failures: readonly string[]): InvocationEnd => {
  return { kind: 'response', payload: { batchItemFailures: failures.map((itemIdentifier) => ({ itemIdentifier })) } };
};

const charge = (orderId: string, seq: number, cardToken = 'tok_visa') => {
  return recordOf(taskFor({ seq, runId: orderId, name: 'payments.charge-card', input: { orderId, amountCents: 1200, cardToken } }));
};

describe('a handler of the repository under the runtime loop of AWS', () => {
  let sqs: LocalSqs;
  let client: SQSClient;
  let resultsQueueUrl: string;
  let parkedQueueUrl: string | undefined;
  let env: Record<string, string>;

  beforeAll(async () => {
    sqs = await startLocalSqs();
    client = new SQSClient(sqs.clientConfig);
    resultsQueueUrl = (await createQueues({ clientConfig: sqs.clientConfig, steps: ['payments.charge-card'] })).resultsQueueUrl;
    parkedQueueUrl = (await client.send(new GetQueueUrlCommand({ QueueName: 'durable-parked-payments--charge-card' }))).QueueUrl;
    env = { DURABLE_RESULTS_QUEUE_URL: resultsQueueUrl, AWS_ENDPOINT_URL_SQS: sqs.endpoint };
  });
  afterAll(async () => {
    client?.destroy();
    await sqs?.stop();
  });

  async function results(count: number): Promise<unknown[]> {
    const bodies: unknown[] = [];
    while (bodies.length < count) {
      const { Messages = [] } = await client.send(
        new ReceiveMessageCommand({ QueueUrl: resultsQueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 5 }),
      );
      if (Messages.length === 0) break;
      bodies.push(...Messages.map(({ Body }): unknown => JSON.parse(Body ?? 'null')));
    }
    return bodies;
  }

  it('answers a turn of a workflow with its decision, in a bundle of at most 80 kB without a Redis client', async () => {
    const { invoke } = await start('checkout', { env });
    const turn = {
      taskId: 'w-1:wf:1',
      runId: 'w-1',
      workflow: 'checkout',
      workflowVersion: '1',
      input: 'o-1',
      history: [],
      group: 'checkout',
    };
    expect(await invoke(eventOf(recordOf(JSON.stringify({ ...turn, attempt: 1 }))))).toEqual(consumed());
    const command = { kind: 'call', seq: 0, name: 'payments.charge-card', group: '', input: { orderId: 'o-1' } };
    expect(await results(1)).toEqual([{ taskId: 'w-1:wf:1', runId: 'w-1', status: 'continue', commands: [command] }]);
    expect(bundles.bytes.get('checkout')).toBeLessThan(80_000);
    expect(await readFile(join(bundles.folder, 'checkout.mjs'), 'utf8')).not.toMatch(/bullmq|ioredis/);
  });

  it('answers with results on the results queue, completed and failed, and consumes every record', async () => {
    const { invoke } = await start('charge-card', { env });
    expect(await invoke(eventOf(charge('o-1', 0), charge('o-2', 1, 'tok_declined')))).toEqual(consumed());
    const sent = await results(2);
    expect(sent).toContainEqual(
      expect.objectContaining({ runId: 'o-1', status: 'completed', output: expect.objectContaining({ amountCents: 1200 }) }),
    );
    expect(sent).toContainEqual(
      expect.objectContaining({ runId: 'o-2', status: 'failed', error: expect.objectContaining({ code: 'card_declined' }) }),
    );
  });

  it('reports the poison record of a batch, and only that', async () => {
    const { invoke } = await start('charge-card', { env });
    expect(await invoke(eventOf(charge('o-3', 0), recordOf('not a task'), charge('o-4', 1)))).toEqual(consumed('message'));
    expect(await results(2)).toHaveLength(2);
  });

  it.each([
    ['notifications', 'notifications.send-receipt', { orderId: 'o-5', chargeId: 'ch_1' }],
    ['reserve-stock', 'stock.reserve', { orderId: 'o-1', items: [{ sku: 'mug', quantity: 1 }] }],
  ])('serves its steps: %s', async (bundle, name, input) => {
    const { invoke } = await start(bundle, { env });
    expect(await invoke(eventOf(recordOf(taskFor({ name, input }))))).toEqual(consumed());
    expect(await results(1)).toMatchObject([{ stepId: 'run:0', status: 'completed' }]);
  });

  it('parks a dead letter and tells the engine: dead-letters', async () => {
    const { invoke } = await start('dead-letters', { env });
    const eventSourceARN = 'arn:aws:sqs:us-east-1:000000000000:durable-dead-letters-payments--charge-card';
    expect(await invoke(eventOf({ ...charge('o-8', 0), eventSourceARN }))).toEqual(consumed());
    const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: parkedQueueUrl, WaitTimeSeconds: 5 }));
    expect(Messages?.map(({ Body }) => Body)).toEqual([charge('o-8', 0).body]);
    expect(await results(1)).toMatchObject([{ runId: 'o-8', status: 'failed', error: { code: 'dead_letter' } }]);
  });

  it('tells an option that is wrong while it initialises, in words', async () => {
    const { initError } = await start('mistyped', { env });
    const { errorType, errorMessage } = await initError;
    expect(errorType).toBe('ConfigurationError');
    expect(errorMessage).toMatch(/unknown option "concurency", expected one of .*concurrency/);
  });

  it('tells an environment variable that is wrong while it initialises', async () => {
    const { initError } = await start('charge-card', { env: { ...env, DURABLE_RESULTS_QUEUE_URL: 'durable-results' } });
    expect((await initError).errorMessage).toContain('expected DURABLE_RESULTS_QUEUE_URL to be the URL of a queue, got "durable-results"');
  });

  it('fails the invocation where no result is accepted, so that Lambda slows down', async () => {
    const { invoke } = await start('charge-card', { env: { ...env, DURABLE_RESULTS_QUEUE_URL: `${resultsQueueUrl}-gone` } });
    expect(await invoke(eventOf(charge('o-6', 0)))).toMatchObject({ kind: 'error', error: { errorType: 'ResultsNotAcceptedError' } });
  });
});

describe('an invocation that runs out of time', () => {
  it('gives back what it has not started and fails what it has, before the process is killed', async () => {
    const sqs = await startStubSqs();
    try {
      const { invoke } = await start('sleeper', { env: { DURABLE_RESULTS_QUEUE_URL: sqs.queueUrl } });
      // Ten run at the same time: the last one is never begun.
      const inputs = [0, ...Array.from({ length: 11 }, () => 60_000)];
      const end = await invoke(eventOfInputs(inputs, 'sleep'), { timeoutMs: 6_000 });
      expect(end).toEqual(consumed('message-11'));
      const sent = sentResults(sqs);
      expect(sent).toContainEqual(expect.objectContaining({ stepId: 'run:0', status: 'completed' }));
      const timedOut = sent.filter(({ error }) => error?.code === 'lambda_timeout');
      expect(new Set(timedOut.map(({ stepId }) => stepId))).toEqual(new Set(inputs.slice(1, 11).map((_, index) => `run:${index + 1}`)));
    } finally {
      await sqs.stop();
    }
  });

  it('outlives what the abort of its steps leaves behind: a promise that nobody awaits, an error that nobody listens for', async () => {
    const sqs = await startStubSqs();
    try {
      const { invoke, output } = await start('two-at-once', { env: { DURABLE_RESULTS_QUEUE_URL: sqs.queueUrl } });
      expect(await invoke(eventOfInputs([0, 60_000, 0], 'two'), { timeoutMs: 3_000 })).toEqual(consumed());
      expect(sentResults(sqs).map(({ stepId, status, error }) => [stepId, status, error?.code])).toEqual(
        expect.arrayContaining([
          ['run:0', 'completed', undefined],
          ['run:1', 'failed', 'lambda_timeout'],
          ['run:2', 'completed', undefined],
        ]),
      );
      expect(output()).toContain('a promise that no step awaits was rejected after the deadline');
      expect(output()).toContain('an error that no step catches was thrown after the deadline');
    } finally {
      await sqs.stop();
    }
  });

  it('gets killed when its step lets nothing else run, as on Lambda', async () => {
    const sqs = await startStubSqs();
    try {
      const { invoke } = await start('blocker', { env: { DURABLE_RESULTS_QUEUE_URL: sqs.queueUrl } });
      expect(await invoke(eventOfInputs([60_000], 'block'), { timeoutMs: 1_500 })).toEqual({ kind: 'timeout' });
      expect(sentResults(sqs)).toEqual([]);
    } finally {
      await sqs.stop();
    }
  });

  it('fails before it is killed where every send hangs, and its record is not consumed', async () => {
    const sqs = await startStubSqs();
    try {
      // Accepts nothing, ever.
      sqs.answer(...Array.from({ length: 200 }, () => ({ afterMs: 600_000 })));
      const { invoke } = await start('counter', { env: { DURABLE_RESULTS_QUEUE_URL: sqs.queueUrl } });
      const end = await invoke(eventOfInputs([1], 'count'), { timeoutMs: 1_500 });
      expect(end).toMatchObject({ kind: 'error', error: { errorType: 'ResultsNotAcceptedError' } });
    } finally {
      await sqs.stop();
    }
  });
});

describe('a process that Lambda freezes between invocations', () => {
  it('leaves nothing unsent when it responds, and survives that its connections were closed meanwhile', async () => {
    const sqs = await startStubSqs();
    try {
      const { invoke, child } = await start('counter', { env: { DURABLE_RESULTS_QUEUE_URL: sqs.queueUrl } });
      for (let round = 0; round < 3; round += 1) {
        const invoked = invoke(eventOfInputs([round, round + 10, round + 20], 'count'));
        child.kill('SIGCONT');
        expect(await invoked).toEqual(consumed());
        child.kill('SIGSTOP');
        // All of it was there before the response: what is sent now is sent by nobody.
        expect(sentResults(sqs)).toHaveLength(3 * (round + 1));
        for (const socket of sqs.connections) socket.resetAndDestroy();
        await sleep(300);
        expect(sentResults(sqs)).toHaveLength(3 * (round + 1));
      }
      expect(new Set(sqs.requests.map(({ connection }) => connection)).size).toBeGreaterThanOrEqual(3);
    } finally {
      await sqs.stop();
    }
  });

  it('sends the trace id of each invocation with its results', async () => {
    const sqs: StubSqs = await startStubSqs();
    try {
      const { invoke } = await start('counter', { env: { DURABLE_RESULTS_QUEUE_URL: sqs.queueUrl } });
      for (const traceId of ['Root=1-first', 'Root=1-second']) await invoke(eventOfInputs([1], 'count'), { traceId });
      expect(sqs.requests.map(({ headers }) => headers['x-amzn-trace-id'])).toEqual(['Root=1-first', 'Root=1-second']);
    } finally {
      await sqs.stop();
    }
  });
});

describe('credentials that are not in the environment', () => {
  const keyless = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_SESSION_TOKEN: undefined };

  it('come from the AWS SDK, which is loaded for that', async () => {
    const sqs = await startStubSqs();
    const keys = { AccessKeyId: 'AKIDCONTAINER', SecretAccessKey: 'secret', Token: 'token', Expiration: '2099-01-01T00:00:00Z' };
    const container = createServer((_request, response) => response.end(JSON.stringify(keys)));
    container.listen(0, '127.0.0.1');
    await once(container, 'listening');
    const address = container.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    // Lambda's runtime holds the SDK; here it is what the repository has installed.
    await symlink(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(bundles.folder, 'node_modules'));
    try {
      const env = {
        ...keyless,
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/keys`,
        DURABLE_RESULTS_QUEUE_URL: sqs.queueUrl,
      };
      const { invoke } = await start('counter', { env });
      expect(await invoke(eventOfInputs([1], 'count'))).toEqual(consumed());
      expect(sqs.requests[0]?.headers['authorization']).toContain('AKIDCONTAINER');
    } finally {
      await rm(join(bundles.folder, 'node_modules'));
      container.close();
      await sqs.stop();
    }
  });

  it('fail the invocation in words where the SDK is neither bundled nor in the runtime', async () => {
    const { invoke, output } = await start('charge-card', { env: { ...keyless, DURABLE_RESULTS_QUEUE_URL: 'http://127.0.0.1:1/1/q' } });
    expect(await invoke(eventOf(charge('o-7', 0)))).toMatchObject({ kind: 'error', error: { errorType: 'ResultsNotAcceptedError' } });
    expect(output()).toContain('install the package \\"@aws-sdk/client-sqs\\"');
  });
});

describe('an invocation of 256 MB', () => {
  it('handles a batch of 10,000 small records', async () => {
    const sqs = await startStubSqs();
    try {
      const { invoke } = await start('counter', { env: { DURABLE_RESULTS_QUEUE_URL: sqs.queueUrl }, memoryMb: 256 });
      const inputs = Array.from({ length: 10_000 }, (_, index) => index);
      expect(await invoke(eventOfInputs(inputs, 'count'), { timeoutMs: 60_000 })).toEqual(consumed());
      const outputs = sentResults(sqs).map(({ output }) => Number(output));
      expect(outputs.sort((a, b) => a - b)).toEqual(inputs.map((n) => n + 1));
    } finally {
      await sqs.stop();
    }
  });
});

interface SentResult {
  readonly stepId: string;
  readonly status: string;
  readonly output?: unknown;
  readonly error?: { readonly code?: string };
}

function sentResults(sqs: StubSqs): SentResult[] {
  return sqs.requests
    .filter(({ operation }) => operation === 'SendMessageBatch')
    .flatMap(({ input }) => {
      const entries: unknown = input['Entries'];
      return (Array.isArray(entries) ? entries : []).map(({ MessageBody }): SentResult => JSON.parse(MessageBody));
    });
}
