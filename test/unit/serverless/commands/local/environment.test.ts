import { describe, expect, it } from 'vitest';
import { localBucketName } from '../../../../../src/serverless/commands/local/bucket.ts';
import { engineEnvironment, handlerEnvironment } from '../../../../../src/serverless/commands/local/environment.ts';
import { serviceOf, testContext } from '../context.ts';

describe('localBucketName', () => {
  const made = { owned: true, retentionDays: 30, keyPrefix: 'durable/' } as const;

  it.each([
    ['shop', undefined, undefined],
    ['shop', made, 'shop-payloads'],
    ['__Shop_Dev', made, 'shop-dev-payloads'],
    ['x'.repeat(80), made, `${'x'.repeat(54)}-payloads`],
    ['shop', { owned: false, name: 'ours', keyPrefix: 'durable/' } as const, 'ours'],
  ])('makes of the prefix %s and %j the legal name %s', (prefix, payloadBucket, expected) => {
    expect(localBucketName({ prefix, payloadBucket })).toBe(expected);
    if (expected !== undefined) expect(expected).toMatch(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/);
  });
});

describe('the environment of handlers and engine', () => {
  const service = serviceOf({ pay: 'pay' });
  const servers = {
    sqs: { endpoint: 'http://127.0.0.1:1', region: 'eu-central-1' },
    prefix: 'shop',
    resultsQueueUrl: 'http://127.0.0.1:1/0/r',
  };

  it('names endpoint and payload bucket of the local S3 on both sides', () => {
    const s3 = { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1', DURABLE_PAYLOAD_BUCKET: 'b' };
    expect(handlerEnvironment(testContext({ service }).context, { ...servers, bucket: 'b' })).toMatchObject(s3);
    expect(engineEnvironment({ ...servers, bucket: 'b' })).toEqual(
      expect.arrayContaining(Object.entries(s3).map(([name, value]) => `export ${name}=${value}`)),
    );
  });

  it('names no S3 where the service has no payload bucket', () => {
    expect(engineEnvironment({ ...servers, bucket: undefined }).join()).not.toMatch(/S3|BUCKET/);
  });

  it('has made-up credentials for handlers only where the shell has none', () => {
    const keyOf = (env: Record<string, string>) =>
      handlerEnvironment(testContext({ service, env }).context, { ...servers, bucket: undefined })['AWS_ACCESS_KEY_ID'];
    expect(keyOf({})).toBe('local');
    expect(keyOf({ AWS_ACCESS_KEY_ID: 'real' })).toBeUndefined();
    expect(keyOf({ AWS_PROFILE: 'dev' })).toBeUndefined();
  });
});
