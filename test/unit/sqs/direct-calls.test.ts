import { SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { SqsRequestError } from '../../../src/errors.ts';
import { directCalls, isPlain } from '../../../src/sqs/direct-calls.ts';
import type { HttpAnswer, HttpPost } from '../../../src/sqs/http-connections.ts';
import { sdkApi } from '../../../src/sqs/sdk-api.ts';
import { md5, stubbedClient } from '../../support/stub-request-handler.ts';

const QUEUE = 'https://sqs.eu-west-1.amazonaws.com/1/q';
const CONFIG = { region: 'eu-west-1', credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' } };

type Answer = Partial<HttpAnswer> | Error;

function setUp(answers: Answer[], config: SQSClientConfig = {}) {
  const client = new SQSClient({ ...CONFIG, ...config });
  const posts: HttpPost[] = [];
  const calls = directCalls(client, async (post) => {
    posts.push(post);
    const answer = answers.shift() ?? {};
    if (answer instanceof Error) throw answer;
    return { status: 200, headers: {}, body: '{}', ...answer };
  });
  return { api: sdkApi({ client }, calls), calls, posts };
}

function operation({ headers }: HttpPost): string | undefined {
  return headers['x-amz-target'];
}

const limits = () => ({ requestTimeout: 1_000, abortSignal: new AbortController().signal });

describe('requests of our own', () => {
  it('say what those of the SDK say', async () => {
    const { client, requests } = stubbedClient(() => ({ body: {} }));
    const { api, posts } = setUp([]);
    for (const each of [sdkApi({ client }), api]) {
      const attributes = { marker: 'a', bytes: { dataType: 'Binary', value: Buffer.from([0, 255]) } };
      await each.sendMessages(QUEUE, [{ body: 'é', attributes, groupId: 'g', deduplicationId: 'd' }]);
      await each.receiveMessages(QUEUE, { maxMessages: 7, waitTimeSeconds: 20, visibilityTimeoutSeconds: 30, attributeNames: ['marker'] });
      await each.deleteMessages(QUEUE, ['r1', 'r2']);
      await each.changeVisibility(QUEUE, [{ receiptHandle: 'r', timeoutSeconds: 3 }]);
    }
    expect(posts.map(({ body }) => JSON.parse(body))).toEqual(requests.map(({ input }) => input));
    expect(posts.map(operation)).toEqual(requests.map((request) => `AmazonSQS.${request.operation}`));
    expect(posts.map(({ url }) => url.hostname)).toEqual(requests.map(({ hostname }) => hostname));
  });

  it('go to the endpoint of the client, and are signed by its credentials, asked for each time', async () => {
    let asked = 0;
    const credentials = async () => {
      asked += 1;
      return { accessKeyId: `AKID${asked}`, secretAccessKey: 's', sessionToken: 'token', expiration: new Date(0) };
    };
    const { api, posts } = setUp([], { endpoint: 'http://127.0.0.1:4566/base', credentials });
    await api.deleteMessages(QUEUE, ['r']);
    await api.deleteMessages(QUEUE, ['r']);
    expect(posts.map(({ url }) => url.href)).toEqual(['http://127.0.0.1:4566/base', 'http://127.0.0.1:4566/base']);
    expect(posts[1]?.headers['authorization']).toContain(`Credential=AKID${asked}/`);
    expect(posts[1]?.headers['x-amz-security-token']).toBe('token');
    expect(asked).toBeGreaterThan(1);
  });
});

describe('an answer', () => {
  const message = { MessageId: 'm', ReceiptHandle: 'r', Body: 'é', MD5OfBody: md5('é') };

  it('gives messages, with binary attributes as bytes', async () => {
    const MessageAttributes = { b: { DataType: 'Binary', BinaryValue: 'AP8=' }, s: { DataType: 'String', StringValue: 'x' } };
    const { calls } = setUp([{ body: JSON.stringify({ Messages: [{ ...message, MessageAttributes }, message] }) }]);
    const { Messages } = await calls.receiveMessage({ QueueUrl: QUEUE }, limits());
    expect(Messages?.[0]?.MessageAttributes).toEqual({
      ...MessageAttributes,
      b: { DataType: 'Binary', BinaryValue: Buffer.from([0, 255]) },
    });
    expect(Messages?.[1]).toEqual(message);
  });

  it('with a body that is not the one that was sent is refused', async () => {
    const { api } = setUp([{ body: JSON.stringify({ Messages: [message, { ...message, Body: 'e' }] }) }]);
    const received = api.receiveMessages(QUEUE, { maxMessages: 10, waitTimeSeconds: 0 });
    await expect(received).rejects.toEqual(new SqsRequestError('ReceiveMessage', 'ChecksumMismatch', true));
  });

  it('that a message was stored otherwise than it was sent fails that message, to be sent again', async () => {
    const Successful = [
      { Id: '0', MD5OfMessageBody: md5('a') },
      { Id: '1', MD5OfMessageBody: md5('x') },
    ];
    const { api } = setUp([{ body: JSON.stringify({ Successful }) }]);
    const outcomes = await api.sendMessages(QUEUE, [{ body: 'a' }, { body: 'b' }]);
    expect(outcomes).toEqual([{ ok: true }, { ok: false, sqsCode: 'ChecksumMismatch', transient: true }]);
  });

  it('of a transient failure is tried again, of a definite one is not', async () => {
    const unavailable = { status: 503, body: '{"__type":"com.amazonaws.sqs#ServiceUnavailable"}' };
    const denied = { status: 403, body: '{"__type":"com.amazon.coral.service#AccessDeniedException"}' };
    const { api, posts } = setUp([unavailable, Object.assign(new Error('reset'), { code: 'ECONNRESET' }), {}, denied]);
    await api.deleteMessages(QUEUE, ['r']);
    expect(posts).toHaveLength(3);
    await expect(api.deleteMessages(QUEUE, ['r'])).rejects.toMatchObject({ sqsCode: 'AccessDeniedException', transient: false });
    expect(posts).toHaveLength(4);
  });
});

describe('isPlain', () => {
  it.each<[string, Parameters<typeof isPlain>[0], boolean]>([
    ['nothing', {}, true],
    ['region, endpoint and credentials', { ...CONFIG, endpoint: 'http://127.0.0.1:1' }, true],
    ['an option that is undefined', { ...CONFIG, maxAttempts: undefined }, true],
    ['a request handler', { ...CONFIG, requestHandler: {} }, false],
    ['a number of tries', { ...CONFIG, maxAttempts: 5 }, false],
  ])('of %s', (_what, config, plain) => {
    expect(isPlain(config)).toBe(plain);
  });
});
