import { afterEach, describe, expect, it, vi } from 'vitest';
import { QueueNotFoundError, SqsRequestError } from '../../../src/errors.ts';
import { sqsStepHandler } from '../../../src/lambda/index.ts';
import { type SqsQueuesOptions, sqsQueues } from '../../../src/lambda/worker-queues.ts';
import { retry } from '../../../src/sqs/retry.ts';
import type { EntryOutcome, OutgoingMessage, ResultSender, VisibilityChange } from '../../../src/sqs/sqs-api.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { FakeTiming } from '../../support/fake-timing.ts';
import { contextOf, eventOfInputs } from '../../support/sqs-records.ts';
import { md5, type SdkRequest, stubbedClient } from '../../support/stub-request-handler.ts';

const URL = 'https://sqs.us-east-1.amazonaws.com/123456789012/durable-results';
const throttled = () => new SqsRequestError('SendMessageBatch', 'RequestThrottled', true);
const denied = () => new SqsRequestError('SendMessageBatch', 'AccessDenied', false);

afterEach(() => {
  vi.unstubAllEnvs();
});

/** SQS in memory: each call takes the next of `answers`, and accepts where there is none. */
function fakeSqs(answers: (Error | readonly EntryOutcome[])[] = [], queues: Record<string, string> = { 'durable-results': URL }) {
  const sent: { queueUrl: string; bodies: string[] }[] = [];
  const messages: OutgoingMessage[] = [];
  const changes: { queueUrl: string; entries: readonly VisibilityChange[] }[] = [];
  const lookups: string[] = [];
  const sender: ResultSender = {
    sendMessages: async (queueUrl, batch) => {
      sent.push({ queueUrl, bodies: batch.map(({ body }) => body) });
      messages.push(...batch);
      const answer = answers.shift() ?? batch.map((): EntryOutcome => ({ ok: true }));
      if (answer instanceof Error) throw answer;
      return [...answer];
    },
    changeVisibility: async (queueUrl, entries) => {
      changes.push({ queueUrl, entries });
      return entries.map(
        (_entry, index): EntryOutcome => (index === 1 ? { ok: false, sqsCode: 'ReceiptHandleIsInvalid', transient: false } : { ok: true }),
      );
    },
    findQueueUrl: async (name) => {
      lookups.push(name);
      return queues[name];
    },
    region: async () => 'us-east-1',
  };
  return { sender, sent, messages, changes, lookups };
}

/** The queues of a worker, and a send to the results queue as the step core makes it. */
function queuesOver(sender: ResultSender, options: Partial<SqsQueuesOptions> = {}) {
  const timing = new FakeTiming();
  let opened = 0;
  const open = async () => {
    opened += 1;
    return sender;
  };
  const queues = sqsQueues({ prefix: 'durable', resultsQueueUrl: URL, open, timing, ...options });
  const send = (body: string, timeLeftMs = 30_000) =>
    retry(async () => queues.send(await queues.url(), { body }), queues.retries(timeLeftMs));
  return { queues, send, timing, opened: () => opened };
}

describe('the results queue', () => {
  it('takes the URL that was given, without a look-up', async () => {
    const { sender, sent, lookups } = fakeSqs();
    await queuesOver(sender).send('a');
    expect(sent).toEqual([{ queueUrl: URL, bodies: ['a'] }]);
    expect(lookups).toEqual([]);
  });

  it('gets looked up by name if none was given, once', async () => {
    const { sender, sent, lookups } = fakeSqs([], { 'shop-results': URL });
    const { send, opened } = queuesOver(sender, { prefix: 'shop', resultsQueueUrl: undefined });
    await Promise.all(['a', 'b'].map((body) => send(body)));
    await send('c');
    expect(sent.flatMap(({ queueUrl, bodies }) => bodies.map((body) => [queueUrl, body]))).toEqual([
      [URL, 'a'],
      [URL, 'b'],
      [URL, 'c'],
    ]);
    expect(lookups).toEqual(['shop-results']);
    expect(opened()).toBe(1);
  });

  it('missing, gets named at once, and looked up again the next time', async () => {
    const queues: Record<string, string> = {};
    const { sender, lookups } = fakeSqs([], queues);
    const { send, timing } = queuesOver(sender, { resultsQueueUrl: undefined });
    await expect(send('a')).rejects.toMatchObject({ name: 'QueueNotFoundError', queue: 'durable-results' });
    expect(timing.slept).toEqual([]);
    queues['durable-results'] = URL;
    await send('a');
    // `.fifo` too, as long as there is none.
    expect(lookups).toEqual(['durable-results', 'durable-results.fifo', 'durable-results']);
  });
});

describe('a results queue that was found and is gone', () => {
  it('gets looked up again: it was replaced by a FIFO queue, say', async () => {
    const queues: Record<string, string> = { 'durable-results': URL };
    const { sender, sent } = fakeSqs([[{ ok: true }], new QueueNotFoundError(URL, 'us-east-1')], queues);
    const { send } = queuesOver(sender, { resultsQueueUrl: undefined });
    await send('a');
    delete queues['durable-results'];
    queues['durable-results.fifo'] = `${URL}.fifo`;
    await expect(send('b')).rejects.toBeInstanceOf(QueueNotFoundError);
    await send('b');
    expect(sent.map(({ queueUrl }) => queueUrl)).toEqual([URL, URL, `${URL}.fifo`]);
  });
});

describe('a send', () => {
  it('opens SQS only when the first result is there, and again after it could not be opened', async () => {
    const { sender } = fakeSqs();
    let opened = 0;
    const open = async () => {
      opened += 1;
      if (opened === 1) throw new Error('no module');
      return sender;
    };
    const queues = sqsQueues({ prefix: 'durable', resultsQueueUrl: URL, open });
    const send = (body: string) => queues.send(URL, { body });
    expect(opened).toBe(0);
    await expect(send('a')).rejects.toThrow('no module');
    await send('a');
    expect(opened).toBe(2);
  });

  it('shares its request with those of the same moment, each with its own outcome', async () => {
    const { sender, sent } = fakeSqs([[{ ok: true }, { ok: false, sqsCode: 'InvalidMessageContents', transient: false }, { ok: true }]]);
    const { send } = queuesOver(sender);
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((body) => send(body)));
    expect(sent).toEqual([{ queueUrl: URL, bodies: ['a', 'b', 'c'] }]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('gets another try after a transient failure, with growing delays', async () => {
    const { sender, sent } = fakeSqs([throttled(), [{ ok: false, sqsCode: 'InternalError', transient: true }], throttled()]);
    const { send, timing } = queuesOver(sender);
    const sending = send('a');
    await timing.advance(350);
    await sending;
    expect(timing.slept).toEqual([50, 100, 200]);
    expect(sent).toHaveLength(4);
  });

  it('ends after five seconds', async () => {
    const { sender } = fakeSqs(Array.from({ length: 100 }, throttled));
    const { send, timing } = queuesOver(sender);
    const failed = expect(send('a')).rejects.toMatchObject({ sqsCode: 'RequestThrottled' });
    await timing.advance(5_000);
    await failed;
    expect(timing.slept.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(4_000);
  });

  it('takes at most half of the time that the invocation has left', async () => {
    const { sender } = fakeSqs(Array.from({ length: 100 }, throttled));
    const { send, timing } = queuesOver(sender);
    const failed = expect(send('a', 1_000)).rejects.toMatchObject({ sqsCode: 'RequestThrottled' });
    await timing.advance(500);
    await failed;
    const inTotal = timing.slept.reduce((sum, ms) => sum + ms, 0);
    expect(inTotal).toBeLessThanOrEqual(500);
    expect(inTotal).toBeGreaterThan(250);
  });

  it.each([
    ['a refusal', denied()],
    ['a missing queue', new QueueNotFoundError('q', 'us-east-1')],
    ['a bug', new TypeError('x')],
  ])('gets no other try after a definite failure (%s)', async (_what, error) => {
    const { sender, sent } = fakeSqs([error]);
    await expect(queuesOver(sender).send('a')).rejects.toBe(error);
    expect(sent).toHaveLength(1);
  });
});

describe('a FIFO results queue', () => {
  const FIFO = `${URL}.fifo`;

  it('gets found by name if there is no other', async () => {
    const { sender, sent, lookups } = fakeSqs([], { 'durable-results.fifo': FIFO });
    await queuesOver(sender, { resultsQueueUrl: undefined }).send('a');
    expect(lookups).toEqual(['durable-results', 'durable-results.fifo']);
    expect(sent).toEqual([{ queueUrl: FIFO, bodies: ['a'] }]);
  });
});

describe('another queue', () => {
  it('has the first of its names that exists, looked up once', async () => {
    const { sender, sent, lookups } = fakeSqs([], { second: `${URL}-2` });
    const { queues } = queuesOver(sender);
    expect(await queues.urlOf(['first', 'second'])).toBe(`${URL}-2`);
    expect(await queues.urlOf(['first', 'second'])).toBe(`${URL}-2`);
    expect(sent).toEqual([]);
    expect(lookups).toEqual(['first', 'second']);
  });

  it('missing, gets named by its first name', async () => {
    const { queues } = queuesOver(fakeSqs().sender);
    await expect(queues.urlOf(['first', 'second'])).rejects.toMatchObject({ queue: 'first' });
  });
});

describe('records', () => {
  it('become visible at once; how many do not is told', async () => {
    const { sender, changes } = fakeSqs();
    expect(await queuesOver(sender).queues.release?.(`${URL}-tasks`, ['r-1', 'r-2', 'r-3'])).toBe(1);
    expect(changes).toEqual([
      { queueUrl: `${URL}-tasks`, entries: ['r-1', 'r-2', 'r-3'].map((receiptHandle) => ({ receiptHandle, timeoutSeconds: 0 })) },
    ]);
  });
});

interface Entry {
  readonly Id: string;
  readonly MessageBody: string;
}

function entriesOf({ input }: SdkRequest): Entry[] {
  const entries: unknown = input['Entries'];
  return Array.isArray(entries) ? entries : [];
}

/** SQS that has one queue and accepts everything. */
function accepting(request: SdkRequest) {
  if (request.operation === 'GetQueueUrl') return { body: { QueueUrl: URL } };
  const Successful = entriesOf(request).map(({ Id, MessageBody }) => ({ Id, MessageId: 'm', MD5OfMessageBody: md5(MessageBody) }));
  return { body: { Successful } };
}

describe('the handler itself, over the AWS SDK', () => {
  const logger = capturingLogger();

  it('sends the result with the client that it was given', async () => {
    const { client, requests } = stubbedClient(accepting, { region: 'us-east-1' });
    const handler = sqsStepHandler('step', (n: number) => n + 1, { client, resultsQueueUrl: URL, logger });
    expect(await handler(eventOfInputs([1]), contextOf())).toEqual({ batchItemFailures: [] });
    expect(requests).toMatchObject([{ operation: 'SendMessageBatch', hostname: 'sqs.us-east-1.amazonaws.com', input: { QueueUrl: URL } }]);
    expect(requests.flatMap(entriesOf).map(({ MessageBody }) => JSON.parse(MessageBody))).toMatchObject([{ stepId: 'run:0', output: 2 }]);
  });

  it('makes a client with clientConfig, and finds the queue by prefix and namespace of the environment', async () => {
    const { client, requests } = stubbedClient(accepting, { region: 'us-east-1' });
    const { region, credentials, requestHandler } = client.config;
    vi.stubEnv('DURABLE_PREFIX', 'shop');
    vi.stubEnv('DURABLE_NAMESPACE', 'eu');
    const handler = sqsStepHandler('step', () => 1, { clientConfig: { region, credentials, requestHandler }, logger });
    expect(await handler(eventOfInputs([1]), contextOf())).toEqual({ batchItemFailures: [] });
    expect(requests).toMatchObject([
      { operation: 'GetQueueUrl', input: { QueueName: 'shop-eu-results' } },
      { operation: 'SendMessageBatch', input: { QueueUrl: URL } },
    ]);
  });

  it('fails the invocation where the results queue is not there', async () => {
    const missing = { __type: 'com.amazonaws.sqs#QueueDoesNotExist', message: 'The specified queue does not exist.' };
    const { client } = stubbedClient(() => ({ status: 400, body: missing, queryError: 'AWS.SimpleQueueService.NonExistentQueue' }));
    const handler = sqsStepHandler('step', () => 1, { client, logger });
    await expect(handler(eventOfInputs([1]), contextOf())).rejects.toMatchObject({
      name: 'ResultsNotAcceptedError',
      cause: { name: 'QueueNotFoundError', queue: 'durable-results' },
    });
  });
});
