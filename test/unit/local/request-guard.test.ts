import { describe, expect, it } from 'vitest';
import { type GuardedRequest, refusal } from '../../../src/local/request-guard.ts';

const HEADERS = { host: '127.0.0.1:9324', 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.SendMessage' };
const sqs = (headers: GuardedRequest['headers'] = {}): GuardedRequest => ({
  method: 'POST',
  url: '/',
  headers: { ...HEADERS, ...headers },
});

describe('refusal', () => {
  it('lets a request of an SQS client pass', () => {
    expect(refusal(sqs(), false)).toBeUndefined();
    expect(refusal(sqs({ 'content-type': 'application/x-amz-json-1.0; charset=utf-8' }), true)).toBeUndefined();
  });

  it.each([
    undefined,
    '',
    'other.example',
    '127.0.0.1.other.example',
    'localhost@other.example',
    '10.0.0.1',
    '0.0.0.0',
    '[::2]',
    '128.0.0.1',
  ])('names the Host as the reason where it is %s', (host) => {
    expect(refusal(sqs({ host }), true)).toContain('under a name of this machine');
  });

  it.each([{ origin: 'https://other.example' }, { origin: '' }, { 'sec-fetch-site': 'none' }])(
    'names the page as the reason with %j',
    (headers) => {
      expect(refusal(sqs(headers), true)).toBe('the local SQS server answers no web pages');
    },
  );

  it('refuses the JSON of another service, and SQS at another path', () => {
    expect(refusal(sqs({ 'x-amz-target': 'AmazonSNS.Publish' }), true)).toBe('the local server serves SQS (JSON protocol) and S3 only');
    expect(refusal({ ...sqs(), url: '/000000000000/q' }, false)).toBe('the local server serves SQS (JSON protocol) only');
  });

  it('lets S3 pass only where it is served', () => {
    const get = { method: 'GET', url: '/bucket/key?versionId=1', headers: { host: '127.0.0.1:9324' } };
    expect(refusal(get, true)).toBeUndefined();
    expect(refusal(get, false)).toBe('the local server serves SQS (JSON protocol) only');
    for (const url of ['/_fauxqs/queues', '/_fauxqs', '/health', '/health?x=1']) expect(refusal({ ...get, url }, true)).toBeDefined();
    expect(refusal({ ...get, url: '/healthy' }, true)).toBeUndefined();
  });
});
