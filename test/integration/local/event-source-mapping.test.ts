import { randomUUID } from 'node:crypto';
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it, type TestContext, vi } from 'vitest';
import { LocalEventSourceMapping } from '../../../src/local/event-source-mapping.ts';
import type { EventSourceMappingOptions, InvocationReport } from '../../../src/local/mapping-options.ts';
import { ON_MOTO, startTestSqs, type TestSqs } from '../../support/sqs-server.ts';
import { createQueue, depth, ready, send, until } from './queues.ts';

vi.setConfig({ testTimeout: 40_000 });

const bodies = (count: number, prefix = 'm') => Array.from({ length: count }, (_, index) => `${prefix}${index}`);
const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };

let sqs: TestSqs;
let client: SQSClient;

beforeAll(async () => {
  sqs = await startTestSqs();
  client = new SQSClient(sqs.clientConfig);
});

afterAll(async () => {
  client.destroy();
  await sqs.stop();
});

/** A mapping on the embedded server, and all it did. */
function map(
  test: TestContext,
  queueUrl: string,
  handler: EventSourceMappingOptions['handler'],
  options: Partial<EventSourceMappingOptions> = {},
) {
  const reports: InvocationReport[] = [];
  const records: SQSRecord[] = [];
  const mapping = new LocalEventSourceMapping({
    clientConfig: sqs.clientConfig,
    queueUrl,
    functionName: 'f',
    logger,
    onInvocation: (report) => reports.push(report),
    handler: (event: SQSEvent, context: Context) => {
      records.push(...event.Records);
      return handler(event, context);
    },
    ...options,
  });
  // Of the test itself: the imported onTestFinished does not know which of several concurrent tests calls it.
  test.onTestFinished(() => mapping.stop());
  mapping.start();
  /** How often each body was delivered. */
  const deliveries = () => {
    const counts: Record<string, number> = {};
    for (const { body } of records) counts[body] = (counts[body] ?? 0) + 1;
    return counts;
  };
  return { mapping, reports, records, deliveries };
}

const failing = (event: SQSEvent, bad: (record: SQSRecord) => boolean) => ({
  batchItemFailures: event.Records.filter(bad).map(({ messageId }) => ({ itemIdentifier: messageId })),
});

const empty = (queueUrl: string) => until(async () => expect(await depth(client, queueUrl)).toBe(0));

describe.concurrent('a batch', () => {
  it('a batch that succeeds is deleted', async (test) => {
    const queueUrl = await createQueue(client);
    await send(client, queueUrl, bodies(10));
    const { reports, deliveries } = map(test, queueUrl, () => undefined);
    await empty(queueUrl);
    expect(deliveries()).toEqual(Object.fromEntries(bodies(10).map((body) => [body, 1])));
    expect(reports).toMatchObject([{ records: 10, deleted: 10, failed: 0, outcome: 'success' }]);
  });

  it('the reported messages of a batch are redelivered, the others deleted', async (test) => {
    const queueUrl = await createQueue(client, { visibilitySeconds: 1 });
    await send(client, queueUrl, bodies(5));
    const { reports, records, deliveries } = map(
      test,
      queueUrl,
      (event) => failing(event, ({ body, attributes }) => body === 'm2' && attributes.ApproximateReceiveCount === '1'),
      { timeoutMs: 500 },
    );
    await empty(queueUrl);
    expect(deliveries()).toEqual({ m0: 1, m1: 1, m2: 2, m3: 1, m4: 1 });
    expect(records.at(-1)?.attributes.ApproximateReceiveCount).toBe('2');
    expect(reports.map(({ outcome }) => outcome)).toEqual(['partial', 'success']);
  });

  it('a batch whose handler throws is redelivered as a whole', async (test) => {
    const queueUrl = await createQueue(client, { visibilitySeconds: 1 });
    await send(client, queueUrl, bodies(3));
    let invocations = 0;
    const handler = () => {
      invocations += 1;
      if (invocations === 1) throw new Error('no');
    };
    const { reports, deliveries } = map(test, queueUrl, handler, { timeoutMs: 500 });
    await empty(queueUrl);
    expect(deliveries()).toEqual({ m0: 2, m1: 2, m2: 2 });
    expect(reports[0]).toMatchObject({ outcome: 'failure', deleted: 0, failed: 3, reason: 'the handler threw Error' });
  });

  it('a batch whose handler times out is redelivered as a whole, whatever the handler returns late', async (test) => {
    const queueUrl = await createQueue(client, { visibilitySeconds: 1 });
    await send(client, queueUrl, bodies(3));
    const late = Promise.withResolvers<void>();
    const remaining: number[] = [];
    let invocations = 0;
    const handler = async (_event: SQSEvent, context: Context) => {
      invocations += 1;
      remaining.push(context.getRemainingTimeInMillis());
      if (invocations === 1) await late.promise;
    };
    const { reports, deliveries } = map(test, queueUrl, handler, { timeoutMs: 200 });
    await until(() => expect(reports).toMatchObject([{ outcome: 'timeout', deleted: 0, failed: 3 }]));
    late.resolve();
    await empty(queueUrl);
    expect(deliveries()).toEqual({ m0: 2, m1: 2, m2: 2 });
    expect(Math.max(...remaining)).toBeLessThanOrEqual(200);
  });

  it('a batch without ReportBatchItemFailures is deleted whatever the answer', async (test) => {
    const queueUrl = await createQueue(client);
    await send(client, queueUrl, bodies(3));
    const { deliveries } = map(test, queueUrl, (event) => failing(event, () => true), { reportBatchItemFailures: false });
    await empty(queueUrl);
    expect(deliveries()).toEqual({ m0: 1, m1: 1, m2: 1 });
  });

  it.for<[string, unknown]>([
    ['an id that is not in the batch', { batchItemFailures: [{ itemIdentifier: 'unknown' }] }],
    ['a wrong key name', { batchItemFailures: [{ messageId: 'm0' }] }],
    ['an empty identifier', { batchItemFailures: [{ itemIdentifier: '' }] }],
    ['a list that is none', { batchItemFailures: 'm0' }],
    ['what is not JSON', { took: 1n }],
  ])('a batch answered by %s is redelivered as a whole', async ([, malformed], test) => {
    const queueUrl = await createQueue(client, { visibilitySeconds: 1 });
    await send(client, queueUrl, bodies(3));
    let invocations = 0;
    const { reports, deliveries } = map(test, queueUrl, () => (invocations++ === 0 ? malformed : undefined), { timeoutMs: 500 });
    await empty(queueUrl);
    expect(deliveries()).toEqual({ m0: 2, m1: 2, m2: 2 });
    expect(reports[0]).toMatchObject({ outcome: 'failure', failed: 3, reason: expect.any(String) });
  });

  it('a batch gathers messages for the length of its window', async (test) => {
    const queueUrl = await createQueue(client);
    await send(client, queueUrl, bodies(25));
    const { reports, deliveries } = map(test, queueUrl, () => undefined, { batchSize: 100, batchWindowSeconds: 1 });
    await empty(queueUrl);
    expect(reports.map(({ records }) => records)).toEqual([25]);
    expect(Object.keys(deliveries())).toHaveLength(25);
  });
});

describe.concurrent('maximum concurrency', () => {
  it('invocations reach the maximum concurrency and never exceed it', async (test) => {
    const queueUrl = await createQueue(client);
    await send(client, queueUrl, bodies(40));
    let now = 0;
    let most = 0;
    const three = Promise.withResolvers<void>();
    const handler = async () => {
      now += 1;
      most = Math.max(most, now);
      if (now === 3) three.resolve();
      // Nothing ends before three run at once; a fourth would then be there as well, if there were one.
      await three.promise;
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
    };
    const { deliveries } = map(test, queueUrl, handler, { batchSize: 2, maximumConcurrency: 3, timeoutMs: 20_000 });
    await empty(queueUrl);
    expect(most).toBe(3);
    expect(Object.keys(deliveries())).toHaveLength(40);
  });

  it('messages that cannot start yet stay on the queue', async (test) => {
    const queueUrl = await createQueue(client);
    await send(client, queueUrl, bodies(10));
    const gate = Promise.withResolvers<void>();
    const { mapping, records } = map(test, queueUrl, () => gate.promise, { batchSize: 1, maximumConcurrency: 2, timeoutMs: 20_000 });
    await until(() => expect(records).toHaveLength(2));
    const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10 }));
    expect(Messages).toHaveLength(8);
    gate.resolve();
    await mapping.stop();
  });
});

describe.concurrent('a FIFO queue', () => {
  it('a FIFO group is in one invocation at a time, in order, whatever fails', async (test) => {
    const queueUrl = await createQueue(client, { fifo: true, visibilitySeconds: 1 });
    const groups = ['a', 'b', 'c', 'd'];
    for (const group of groups) await send(client, queueUrl, bodies(8, group), () => group);
    const busy = new Set<string>();
    const overlaps: string[] = [];
    const done: Record<string, string[]> = {};
    let together = 0;
    const handler = async (event: SQSEvent) => {
      const here = new Set(event.Records.map(({ attributes }) => attributes.MessageGroupId ?? ''));
      together = Math.max(together, busy.size + here.size);
      for (const group of here) {
        if (busy.has(group)) overlaps.push(group);
        busy.add(group);
      }
      await new Promise((resolve) => setImmediate(resolve));
      for (const group of here) busy.delete(group);
      // A group stops at its first failure: a batch may hold several of it.
      const stopped = new Set<string>();
      return failing(event, ({ body, attributes: { ApproximateReceiveCount, MessageGroupId: group = '' } }) => {
        if (body === 'b3' && ApproximateReceiveCount === '1') stopped.add(group);
        if (!stopped.has(group)) done[group] = [...(done[group] ?? []), body];
        return stopped.has(group);
      });
    };
    map(test, queueUrl, handler, { timeoutMs: 500 });
    await empty(queueUrl);
    expect(overlaps).toEqual([]);
    expect(together).toBeGreaterThan(1);
    // moto does not keep the order: two receives at once both find a group free, and one passes over a message that is
    // visible again while others of its group are not yet.
    if (ON_MOTO) for (const order of Object.values(done)) order.sort();
    expect(done).toEqual(Object.fromEntries(groups.map((group) => [group, bodies(8, group)])));
  });
});

describe.concurrent('stop', () => {
  it('stop() waits for the invocation in flight, deletes its messages and loses none', async (test) => {
    const queueUrl = await createQueue(client);
    await send(client, queueUrl, bodies(30));
    const gate = Promise.withResolvers<void>();
    const { mapping, records, deliveries } = map(test, queueUrl, () => gate.promise, { maximumConcurrency: 1, timeoutMs: 20_000 });
    await until(() => expect(records.length).toBeGreaterThan(0));
    let stopped = false;
    const stopping = mapping.stop().then(() => {
      stopped = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(stopped).toBe(false);
    gate.resolve();
    await stopping;
    expect(await depth(client, queueUrl)).toBe(30 - records.length);

    const second = map(test, queueUrl, () => undefined);
    await empty(queueUrl);
    expect({ ...deliveries(), ...second.deliveries() }).toEqual(Object.fromEntries(bodies(30).map((body) => [body, 1])));
    expect(records.length + second.records.length).toBe(30);
  });

  it('stop() loses nothing that arrives while the last poll is open', async (test) => {
    const own = await startTestSqs();
    const ownClient = new SQSClient(own.clientConfig);
    const queueUrl = await createQueue(ownClient);
    const first = map(test, queueUrl, () => undefined, { clientConfig: own.clientConfig });
    await until(() => expect(own.requests().ReceiveMessage).toBe(1));
    const stopping = first.mapping.stop();
    await Promise.all(bodies(20).map((body) => send(ownClient, queueUrl, [body])));
    await stopping;
    expect(first.records.length).toBeGreaterThan(0);
    expect(await depth(ownClient, queueUrl)).toBe(20 - first.records.length);
    expect(await ready(ownClient, queueUrl)).toBe(20 - first.records.length);
    await own.stop();
  });
});

describe.concurrent('a queue', () => {
  it('a queue may be missing at first', async (test) => {
    const name = `late-${randomUUID()}`;
    const queueUrl = (await createQueue(client)).replace(/[^/]+$/, name);
    const { deliveries } = map(test, queueUrl, () => undefined);
    await until(() => expect(logger.warn).toHaveBeenCalledWith('receive failed', expect.objectContaining({ queueUrl })));
    expect(await createQueue(client, { name })).toBe(queueUrl);
    await send(client, queueUrl, bodies(3));
    await empty(queueUrl);
    expect(deliveries()).toEqual({ m0: 1, m1: 1, m2: 1 });
  });

  it('a mapping that is not enabled receives nothing', async () => {
    const own = await startTestSqs();
    const mapping = new LocalEventSourceMapping({
      clientConfig: own.clientConfig,
      queueUrl: await createQueue(new SQSClient(own.clientConfig)),
      handler: () => {},
      functionName: 'f',
      enabled: false,
    });
    mapping.start();
    await mapping.stop();
    expect(own.requests()).toEqual({ CreateQueue: 1 });
    await own.stop();
  });
});

describe.concurrent('a record', () => {
  it('a record has its attributes in the shape of Lambda', async (test) => {
    const name = `shapes-${randomUUID()}`;
    const queueUrl = await createQueue(client, { name });
    await client.send(
      new SendMessageCommand({
        QueueUrl: queueUrl,
        MessageBody: 'hello',
        MessageAttributes: {
          text: { DataType: 'String', StringValue: 'a' },
          bytes: { DataType: 'Binary', BinaryValue: new Uint8Array([0, 255, 16]) },
        },
      }),
    );
    const { records } = map(test, queueUrl, () => undefined);
    await empty(queueUrl);
    const digits = expect.stringMatching(/^\d{13}$/);
    expect(records).toStrictEqual([
      {
        messageId: expect.any(String),
        receiptHandle: expect.any(String),
        body: 'hello',
        attributes: {
          ApproximateReceiveCount: '1',
          SentTimestamp: digits,
          SenderId: expect.any(String),
          ApproximateFirstReceiveTimestamp: digits,
        },
        messageAttributes: {
          text: { stringValue: 'a', stringListValues: [], binaryListValues: [], dataType: 'String' },
          bytes: { binaryValue: 'AP8Q', stringListValues: [], binaryListValues: [], dataType: 'Binary' },
        },
        md5OfBody: '5d41402abc4b2a76b9719d911017c592',
        md5OfMessageAttributes: expect.stringMatching(/^[0-9a-f]{32}$/),
        eventSource: 'aws:sqs',
        eventSourceARN: expect.stringMatching(new RegExp(`^arn:aws:sqs:us-east-1:\\d{12}:${name}$`)),
        awsRegion: 'us-east-1',
      },
    ]);
  });
});
