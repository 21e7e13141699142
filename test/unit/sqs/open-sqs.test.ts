import { Agent } from 'node:https';
import { ReceiveMessageCommand, SQSClient, type SQSClientConfig } from '@aws-sdk/client-sqs';
import { describe, expect, it, vi } from 'vitest';
import { ConfigurationError, SqsRequestError } from '../../../src/errors.ts';
import { sqsApi } from '../../../src/sqs/api-calls.ts';
import type { HttpAnswer, HttpPost } from '../../../src/sqs/http-connections.ts';
import { openSqs, separateConnections } from '../../../src/sqs/open-sqs.ts';
import type { SqsOperations } from '../../../src/sqs/sqs-operations.ts';
import { md5, stubbedClient } from '../../support/stub-request-handler.ts';

const QUEUE = 'https://sqs.eu-west-1.amazonaws.com/1/q';
const CONFIG: SQSClientConfig = { region: 'eu-west-1', credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' } };

describe('separateConnections', () => {
  it('gives a client on a pool of its own, configured alike', async () => {
    const client = new SQSClient({ ...CONFIG, endpoint: 'http://127.0.0.1:9324/base', maxAttempts: 7, useQueueUrlAsEndpoint: false });
    const other = separateConnections(client);
    expect(other === client).toBe(false);
    expect(other.config.requestHandler === client.config.requestHandler).toBe(false);
    expect(await other.config.region()).toBe('eu-west-1');
    expect(await other.config.credentials()).toMatchObject({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' });
    expect(await other.config.endpoint?.()).toMatchObject({ protocol: 'http:', hostname: '127.0.0.1', port: 9324, path: '/base' });
    expect(await other.config.maxAttempts()).toBe(7);
    expect(other.config.useQueueUrlAsEndpoint).toBe(false);
  });

  it('leaves the endpoint to the SDK where none was given', async () => {
    const other = separateConnections(new SQSClient({ ...CONFIG, useFipsEndpoint: true }));
    expect(other.config.endpoint).toBeUndefined();
    expect(await other.config.useFipsEndpoint()).toBe(true);
  });

  it('keeps the middlewares of the client, those too that are added later: a receive goes through all of them', async () => {
    const client = new SQSClient(CONFIG);
    const seen: string[] = [];
    const note = (name: string) =>
      client.middlewareStack.add(
        (next) => (args) => {
          seen.push(name);
          return next(args);
        },
        { step: 'build', name },
      );
    note('early');
    const other = separateConnections(client);
    note('late');
    client.middlewareStack.add(() => () => Promise.reject(new Error('no network')), { step: 'finalizeRequest', name: 'end' });
    await expect(other.send(new ReceiveMessageCommand({ QueueUrl: QUEUE }))).rejects.toThrow('no network');
    expect(seen).toEqual(['early', 'late']);
  });

  it('closes its own connections only', () => {
    const client = new SQSClient(CONFIG);
    const other = separateConnections(client);
    const theirs = vi.spyOn(client.config.requestHandler, 'destroy');
    const own = vi.spyOn(other.config.requestHandler, 'destroy');
    other.destroy();
    expect(theirs).not.toHaveBeenCalled();
    expect(own).toHaveBeenCalledTimes(1);
  });

  it('keeps a credential provider, which may give other credentials each time', async () => {
    let calls = 0;
    const credentials = () => {
      calls += 1;
      return Promise.resolve({ accessKeyId: `AKID${calls}`, secretAccessKey: 's', expiration: new Date(0) });
    };
    const other = separateConnections(new SQSClient({ ...CONFIG, credentials }));
    await other.config.credentials();
    await other.config.credentials();
    expect(calls).toBeGreaterThan(1);
  });

  it.each<[string, () => SQSClient]>([
    ['a request handler of its own', () => stubbedClient(() => ({})).client],
    [
      'a send of its own, a stub say',
      () => {
        const client = new SQSClient(CONFIG);
        client.send = vi.fn();
        return client;
      },
    ],
    ['agents of its own, a proxy say', () => new SQSClient({ ...CONFIG, requestHandler: { httpsAgent: new Agent() } })],
  ])('shares a client with %s', (_what, make) => {
    const client = make();
    // Not toBe: on failure it would print both clients, which takes minutes.
    expect(separateConnections(client) === client).toBe(true);
  });
});

describe('openSqs', () => {
  /** A receive that ends before it is sent, and still needs its client. */
  async function receive(operations: SqsOperations): Promise<void> {
    await expect(operations.call('ReceiveMessage', { QueueUrl: QUEUE }, AbortSignal.abort())).rejects.toThrow();
  }

  it('uses the client that it is given and never destroys it', async () => {
    const { client, requests } = stubbedClient(() => ({ body: {} }));
    const destroy = vi.spyOn(client, 'destroy');
    const opened = openSqs({ client });
    await sqsApi(opened).receiveMessages(QUEUE, { maxMessages: 1, waitTimeSeconds: 0 });
    expect(requests).toHaveLength(1);
    opened.destroy();
    expect(destroy).not.toHaveBeenCalled();
  });

  it('makes two clients of a configuration that the SDK is needed for, and destroys both', async () => {
    const destroy = vi.spyOn(SQSClient.prototype, 'destroy');
    const opened = openSqs({ clientConfig: { ...CONFIG, maxAttempts: 1 } });
    await receive(opened);
    opened.destroy();
    expect(destroy).toHaveBeenCalledTimes(2);
    expect(new Set(destroy.mock.contexts).size).toBe(2);
    destroy.mockRestore();
  });

  it.each<[string, () => SQSClientConfig & { readonly client?: SQSClient }, number]>([
    ['beside a client that was given', () => ({ client: new SQSClient(CONFIG) }), Number.POSITIVE_INFINITY],
    ['of a configuration', () => ({ ...CONFIG, maxAttempts: 1 }), Number.POSITIVE_INFINITY],
    ['of a configuration that limits them', () => ({ ...CONFIG, requestHandler: { httpsAgent: { maxSockets: 7 } } }), 7],
  ])('long polls may be as many as there are queues: %s', async (_which, options, maxSockets) => {
    const { client, ...clientConfig } = options();
    const send = vi.spyOn(SQSClient.prototype, 'send');
    const opened = openSqs(client === undefined ? { clientConfig } : { client });
    await receive(opened);
    // What the request handler has made of its options, known once it was asked for a request.
    const [poll] = send.mock.contexts;
    expect(poll).toBeInstanceOf(SQSClient);
    if (poll instanceof SQSClient) expect(Reflect.get(poll.config.requestHandler, 'config')).toMatchObject({ httpsAgent: { maxSockets } });
    send.mockRestore();
    opened.destroy();
  });

  it('makes no client for long polls before the first: a worker that only sends does without', () => {
    const destroy = vi.spyOn(SQSClient.prototype, 'destroy');
    openSqs({ clientConfig: CONFIG }).destroy();
    expect(destroy).toHaveBeenCalledTimes(1);
    destroy.mockRestore();
  });

  it('destroys only the second client where it was given the first', async () => {
    const client = new SQSClient(CONFIG);
    const destroy = vi.spyOn(SQSClient.prototype, 'destroy');
    const opened = openSqs({ client });
    await receive(opened);
    await receive(opened);
    opened.destroy();
    expect(destroy.mock.contexts).toHaveLength(1);
    expect(destroy.mock.contexts[0] === client).toBe(false);
    destroy.mockRestore();
  });

  it.each<[string, Record<string, string>, SQSClientConfig, string]>([
    ['the one for SQS', { AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:1', AWS_ENDPOINT_URL: 'http://127.0.0.1:2' }, {}, '127.0.0.1:1'],
    ['the one for all services', { AWS_ENDPOINT_URL: 'http://127.0.0.1:2' }, {}, '127.0.0.1:2'],
    ['the one that is configured wins', { AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:1' }, { endpoint: 'http://127.0.0.1:3' }, '127.0.0.1:3'],
    [
      'none where it is to be ignored',
      { AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:1', AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' },
      {},
      'sqs.eu-west-1.amazonaws.com',
    ],
  ])('sends to the endpoint of the environment: %s', async (_which, env, clientConfig, host) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    const hosts: string[] = [];
    const requestHandler = {
      handle: ({ hostname, port }: { hostname: string; port?: number }) => {
        hosts.push(port === undefined ? hostname : `${hostname}:${port}`);
        return Promise.reject(new Error('no network'));
      },
    };
    const overSdk = sqsApi(openSqs({ clientConfig: { ...CONFIG, maxAttempts: 1, requestHandler, ...clientConfig } }));
    await expect(overSdk.receiveMessages(QUEUE, { maxMessages: 1, waitTimeSeconds: 0 })).rejects.toThrow('ReceiveMessage');
    await expect(overSdk.deleteMessages(QUEUE, ['r'])).rejects.toThrow('DeleteMessageBatch');
    const { opened, posts } = signed([], clientConfig);
    await sqsApi(opened).deleteMessages(QUEUE, ['r']);
    expect([...hosts, posts[0]?.url.host]).toEqual([host, host, host]);
    vi.unstubAllEnvs();
  });

  it('refuses an endpoint without a scheme at once, from the environment or configured', () => {
    const refusal = new ConfigurationError(
      'expected the endpoint of SQS (clientConfig.endpoint, AWS_ENDPOINT_URL_SQS or AWS_ENDPOINT_URL) to be a URL with http:// or https://, got "localhost:9324"',
    );
    expect(() => openSqs({ clientConfig: { ...CONFIG, endpoint: 'localhost:9324' } })).toThrow(refusal);
    vi.stubEnv('AWS_ENDPOINT_URL_SQS', 'localhost:9324');
    expect(() => openSqs({ clientConfig: CONFIG })).toThrow(refusal);
    openSqs({ client: new SQSClient(CONFIG) }).destroy();
    openSqs({ clientConfig: { ...CONFIG, endpoint: 'http://localhost:9324' } }).destroy();
    vi.unstubAllEnvs();
  });

  it('needs no option', async () => {
    vi.stubEnv('AWS_REGION', 'eu-central-1');
    const opened = openSqs({});
    expect(await sqsApi(opened).region()).toBe('eu-central-1');
    opened.destroy();
    vi.unstubAllEnvs();
  });
});

/** Opened with a plain configuration: signed requests end here, each with the next of `answers`. */
function signed(answers: Partial<HttpAnswer>[], clientConfig: SQSClientConfig = {}) {
  const posts: HttpPost[] = [];
  const post = async (request: HttpPost) => {
    posts.push(request);
    return { status: 200, headers: {}, body: '{}', ...answers.shift() };
  };
  const opened = openSqs({ clientConfig: { ...CONFIG, ...clientConfig } }, { post, destroy: () => undefined });
  return { opened, posts };
}

/** What a caller in JavaScript may give. */
function undefinedOption(): SQSClientConfig {
  return Object.fromEntries([['maxAttempts', undefined]]);
}

describe('signed requests', () => {
  it.each<[string, SQSClientConfig, number]>([
    ['region, endpoint and credentials', { endpoint: 'http://127.0.0.1:1' }, 1],
    ['an option that is undefined', { ...undefinedOption() }, 1],
    ['a request handler', { requestHandler: { handle: () => Promise.reject(new Error('no network')) } }, 0],
    ['a number of tries', { maxAttempts: 1, endpoint: 'http://127.0.0.1:1' }, 0],
  ])('serve a configuration of %s: %#', async (_what, config, count) => {
    const { opened, posts } = signed([], config);
    await sqsApi(opened)
      .deleteMessages(QUEUE, ['r'])
      .catch(() => undefined);
    expect(posts).toHaveLength(count);
    opened.destroy();
  });

  it('go to the endpoint of the client, and are signed by its credentials, asked for each time', async () => {
    let asked = 0;
    const credentials = async () => {
      asked += 1;
      return { accessKeyId: `AKID${asked}`, secretAccessKey: 's', sessionToken: 'token', expiration: new Date(0) };
    };
    const { opened, posts } = signed([], { endpoint: 'http://127.0.0.1:4566/base', credentials });
    const api = sqsApi(opened);
    await api.deleteMessages(QUEUE, ['r']);
    await api.deleteMessages(QUEUE, ['r']);
    expect(posts.map(({ url }) => url.href)).toEqual(['http://127.0.0.1:4566/base', 'http://127.0.0.1:4566/base']);
    expect(posts[1]?.headers['authorization']).toContain(`Credential=AKID${asked}/`);
    expect(posts[1]?.headers['x-amz-security-token']).toBe('token');
    expect(asked).toBeGreaterThan(1);
  });

  it('refuse a receive with a body that is not the one that was sent', async () => {
    const message = { MessageId: 'm', ReceiptHandle: 'r', Body: 'é', MD5OfBody: md5('é') };
    const body = (...Messages: object[]) => ({ body: JSON.stringify({ Messages }) });
    const { opened } = signed([body(message), body(message, { ...message, Body: 'e' })]);
    const api = sqsApi(opened);
    const options = { maxMessages: 10, waitTimeSeconds: 0 };
    expect(await api.receiveMessages(QUEUE, options)).toHaveLength(1);
    await expect(api.receiveMessages(QUEUE, options)).rejects.toEqual(new SqsRequestError('ReceiveMessage', 'ChecksumMismatch', true));
  });

  it('leave a queue without a URL to the SDK, which knows where SQS may be configured to be', async () => {
    const { opened, posts } = signed([], { endpoint: 'http://127.0.0.1:1' });
    await expect(sqsApi(opened).findQueueUrl('q')).rejects.toThrow('GetQueueUrl');
    expect(posts).toEqual([]);
    opened.destroy();
  });
});
