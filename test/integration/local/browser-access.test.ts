import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalSqs, startLocalSqs } from '../../../src/local/embedded-sqs.ts';

let sqs: LocalSqs;
let s3: LocalSqs;
beforeAll(async () => {
  [sqs, s3] = await Promise.all([startLocalSqs(), startLocalSqs({ s3: true })]);
  await ask(sqs, { target: 'CreateQueue', body: '{"QueueName":"durable-tasks-pay"}' });
});
afterAll(() => Promise.all([sqs?.stop(), s3?.stop()]));

interface Asked {
  readonly method?: string;
  readonly path?: string;
  /** SQS action. */
  readonly target?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Sends a request as it stands: no client that we use sends a foreign Host or Origin. Gives status and body. */
function ask({ port }: LocalSqs, { method = 'POST', path = '/', target, headers = {}, body }: Asked) {
  const sqsHeaders = target === undefined ? {} : { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `AmazonSQS.${target}` };
  return new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers: { ...sqsHeaders, ...headers } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => resolve({ status: answer.statusCode, text }));
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

const form = { 'content-type': 'application/x-www-form-urlencoded' };
const list = { target: 'ListQueues', body: '{}' };

describe('the local SQS server and web pages', () => {
  it.each<[string, Asked]>([
    ['a preflight', { method: 'OPTIONS', headers: { origin: 'https://other.example', 'access-control-request-method': 'POST' } }],
    ['a request of another page', { ...list, headers: { origin: 'https://other.example' } }],
    ['a request of a sandboxed page', { ...list, headers: { origin: 'null' } }],
    ['a request of a page on this machine', { ...list, headers: { origin: 'http://127.0.0.1:3000' } }],
    ['a request without Origin that a browser sent', { ...list, headers: { 'sec-fetch-site': 'same-origin' } }],
    ['DNS rebinding', { ...list, headers: { host: 'other.example:9324' } }],
    ['DNS rebinding to a name that looks like this machine', { ...list, headers: { host: 'localhost.other.example:9324' } }],
    ['a Host that is another machine', { ...list, headers: { host: '192.168.1.7:9324' } }],
    ['virtual-hosted S3 under a foreign name', { method: 'GET', path: '/key', headers: { host: 'bucket.other.example' } }],
  ])('refuses %s', async (_what, asked) => {
    for (const server of [sqs, s3]) {
      const { status, text } = await ask(server, asked);
      expect(status).toBe(403);
      expect(text).toContain('AccessDenied');
      expect(text).not.toContain('durable-tasks-pay');
    }
  });

  it.each(['localhost:9324', '127.0.0.1', '127.0.0.2:9324', '[::1]:9324', 'sqs.eu-central-1.localhost:9324', 'LOCALHOST'])(
    'answers under the Host %s',
    async (host) => {
      expect((await ask(sqs, { ...list, headers: { host } })).text).toContain('durable-tasks-pay');
    },
  );
});

describe('services of the local SQS server', () => {
  it.each<[string, Asked]>([
    ['SNS', { headers: form, body: 'Action=CreateTopic&Name=t' }],
    ['STS', { headers: form, body: 'Action=GetCallerIdentity' }],
    ['the emulator’s own pages', { method: 'GET', path: '/_fauxqs/queues' }],
    ['its health page', { method: 'GET', path: '/health' }],
    ['a body that is not JSON of SQS', { headers: { 'content-type': 'text/plain' }, body: '{}' }],
  ])('exclude %s', async (_what, asked) => {
    for (const server of [sqs, s3]) {
      const { status, text } = await ask(server, asked);
      expect(status).toBe(403);
      expect(text).not.toContain('durable-tasks-pay');
    }
  });

  it('include S3 only with the option s3', async () => {
    const put = { method: 'PUT', path: '/bucket' };
    expect((await ask(sqs, put)).status).toBe(403);
    expect((await ask(s3, put)).status).toBe(200);
    expect((await ask(s3, { method: 'PUT', path: '/bucket/key', body: 'large' })).status).toBe(200);
    expect(await ask(s3, { method: 'GET', path: '/bucket/key' })).toEqual({ status: 200, text: 'large' });
    expect((await ask(s3, { method: 'GET', path: '/bucket/key', headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(403);
  });
});
