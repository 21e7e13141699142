import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { commandHooks } from '../../../../../src/serverless/commands/index.ts';
import { localBucketName } from '../../../../../src/serverless/commands/local/bucket.ts';
import {
  localEndpointFile,
  readLocalEndpoint,
  removeLocalEndpoint,
  writeLocalEndpoint,
} from '../../../../../src/serverless/commands/local/endpoint-file.ts';
import { engineEnvironment, handlerEnvironment } from '../../../../../src/serverless/commands/local/environment.ts';
import { queuesCommand } from '../../../../../src/serverless/commands/queues/command.ts';
import { requestError } from '../../../../../src/sqs/request-errors.ts';
import { adminSqs, serviceOf, testContext } from '../context.ts';

const temporary = mkdtempSync(join(tmpdir(), 'local-place-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

describe('the endpoint of sls durable local', () => {
  const file = localEndpointFile(temporary, temporary);

  it('lies outside the service, in a folder and file of the user alone, another one for each service', () => {
    writeLocalEndpoint(file, 'http://127.0.0.1:1');
    expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(localEndpointFile(dirname(file), temporary)).not.toBe(file);
    expect(readLocalEndpoint(file)).toBe('http://127.0.0.1:1');
  });

  it('is gone with the process that wrote it, and never removed for another', () => {
    removeLocalEndpoint(file);
    expect(readLocalEndpoint(file)).toBeUndefined();
    // The first process of the machine runs always; no process has the second id.
    writeFileSync(file, JSON.stringify({ endpoint: 'http://127.0.0.1:2', pid: 1 }));
    removeLocalEndpoint(file);
    expect(readFileSync(file, 'utf8')).toContain('127.0.0.1:2');
    writeFileSync(file, JSON.stringify({ endpoint: 'http://127.0.0.1:2', pid: 2 ** 30 }));
    expect(readLocalEndpoint(file)).toBeUndefined();
    writeFileSync(file, 'no JSON');
    expect(readLocalEndpoint(file)).toBeUndefined();
  });
});

describe('large payloads on the laptop', () => {
  it.each([
    ['shop', undefined, undefined],
    ['shop', { owned: true, retentionDays: 30 } as const, 'shop-payloads'],
    ['__Shop_Dev', { owned: true, retentionDays: 30 } as const, 'shop-dev-payloads'],
    ['x'.repeat(80), { owned: true, retentionDays: 30 } as const, `${'x'.repeat(54)}-payloads`],
    ['shop', { owned: false, name: 'ours' } as const, 'ours'],
  ])('under the prefix %s with %j are in the bucket %s', (prefix, payloadBucket, expected) => {
    expect(localBucketName({ prefix, payloadBucket })).toBe(expected);
    if (expected !== undefined) expect(expected).toMatch(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/);
  });

  const place = {
    sqs: { endpoint: 'http://127.0.0.1:1', region: 'eu-central-1' },
    prefix: 'shop',
    resultsQueueUrl: 'http://127.0.0.1:1/0/r',
  };

  it('have their bucket and endpoint in the environment of both sides, and nothing where there is no bucket', () => {
    const service = serviceOf({ pay: 'pay' });
    const large = { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1', DURABLE_PAYLOAD_BUCKET: 'b' };
    expect(handlerEnvironment(testContext({ service }).context, { ...place, bucket: 'b' })).toMatchObject({
      ...large,
      AWS_ACCESS_KEY_ID: 'local',
    });
    expect(engineEnvironment({ ...place, bucket: 'b' })).toEqual(
      expect.arrayContaining(Object.entries(large).map(([name, value]) => `export ${name}=${value}`)),
    );
    expect(engineEnvironment({ ...place, bucket: undefined }).join()).not.toMatch(/S3|BUCKET/);
    const real = testContext({ service, env: { AWS_ACCESS_KEY_ID: 'real' } }).context;
    expect(handlerEnvironment(real, { ...place, bucket: undefined })).not.toHaveProperty('AWS_ACCESS_KEY_ID');
  });
});

describe('sls durable queues', () => {
  const show = async (options: Record<string, unknown>, without?: string) => {
    const sqs = adminSqs({
      findQueueUrl: async (name) => (name === without ? undefined : `http://sqs.eu-central-1.localhost:4566/000000000000/${name}`),
      attributes: async () => ({ ApproximateNumberOfMessages: '12', ApproximateNumberOfMessagesNotVisible: '3' }),
    });
    const { context, terminal } = testContext({ service: serviceOf({ pay: 'pay' }), options, openSqs: () => sqs });
    await queuesCommand(context);
    return terminal;
  };

  it('shows a table, with URLs at the endpoint that was asked', async () => {
    const { out, code } = await show({ endpoint: 'http://127.0.0.1:4566' });
    expect(out.split('\n').filter((line) => /^queue|tasks/.test(line))).toEqual([
      'queue                      visible  in flight  delayed  url',
      'shop-tasks-pay                  12          3        0  http://127.0.0.1:4566/000000000000/shop-tasks-pay',
    ]);
    expect(code).toBe(0);
  });

  it.each(['localhost:4566', '4566', 'ftp://127.0.0.1'])('refuses an endpoint that is no URL of a server: %s', async (endpoint) => {
    await expect(show({ endpoint })).rejects.toThrow(`--endpoint: expected a URL with http:// or https://, got "${endpoint}"`);
  });

  it("shows AWS's own URLs where AWS is asked, and exits 1 where a queue is missing", async () => {
    const { out, err, code } = await show({}, 'shop-parked-pay');
    expect(out).toContain('http://sqs.eu-central-1.localhost:4566/000000000000/shop-tasks-pay');
    expect(out).toMatch(/^shop-parked-pay +- +- +- {2}\(does not exist\)$/m);
    expect(err).toBe('1 queue of 5 missing in region eu-central-1: deploy the service first.\n');
    expect(code).toBe(1);
  });

  it('says what to start where --local finds nothing that listens', async () => {
    const refused = () => Promise.reject(requestError('GetQueueUrl', Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })));
    const { context } = testContext({
      service: serviceOf({ pay: 'pay' }),
      options: { local: true },
      serviceDir: tmpdir(),
      openSqs: () => adminSqs({ findQueueUrl: refused }),
    });
    await expect(commandHooks(() => context)['durable:queues:run']?.()).rejects.toThrow(
      'ECONNREFUSED (connect). "sls durable local" does not run',
    );
  });
});
