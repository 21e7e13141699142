import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import * as s3 from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ConfigurationError, PayloadStoreError } from '../../../src/errors.ts';
import { subjectOfKey } from '../../../src/payloads/payload-key.ts';
import { explainMissingS3 } from '../../../src/payloads/s3-module.ts';
import { s3Api } from '../../../src/payloads/s3-objects.ts';
import { type S3PayloadStoreOptions, s3PayloadStore } from '../../../src/payloads/s3-payload-store.ts';
import { s3Answering, s3Error } from './s3-answers.ts';

const ABOUT = { kind: 'task', runId: 'run 1', stepId: 'run 1:0', seq: 0 } as const;
const POINTER = { bucket: 'bodies', key: 'k' };

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('a stored body', () => {
  it('becomes one object under the prefix, whose key says whose it is', async () => {
    const { client, requests } = s3Answering(() => ({}));
    const store = s3PayloadStore({ bucket: 'bodies', client });
    const pointer = await store.put('{"a":"ü"}', ABOUT);
    expect(pointer.bucket).toBe('bodies');
    expect(pointer.key).toMatch(/^durable\/task\/run%201\/run%201%3A0\/0\/[0-9a-f-]{36}$/);
    expect(subjectOfKey(pointer.key)).toEqual(ABOUT);
    expect(requests).toMatchObject([
      { method: 'PUT', hostname: 'bodies.s3.eu-west-1.amazonaws.com', body: '{"a":"ü"}', headers: { 'content-type': 'application/json' } },
    ]);
    expect(decodeURIComponent(requests[0]?.path ?? '')).toBe(`/${pointer.key}`);
  });

  it('never replaces another of the same step', async () => {
    const { client } = s3Answering(() => ({}));
    const store = s3PayloadStore({ bucket: 'bodies', keyPrefix: '', client });
    const keys = await Promise.all([1, 2, 3].map(async () => (await store.put('x', ABOUT)).key));
    expect(new Set(keys).size).toBe(3);
    expect(keys[0]).toMatch(/^task\//);
  });

  it('comes back from the bucket of its pointer, to the letter', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), fc.constantFrom('', '\uFEFF'), async (text, start) => {
        const { client, requests } = s3Answering(() => ({ body: `${start}${text}` }));
        expect(await s3PayloadStore({ bucket: 'bodies', client }).get({ bucket: 'theirs', key: 'a/b' })).toBe(`${start}${text}`);
        expect(requests).toMatchObject([{ method: 'GET', hostname: 'theirs.s3.eu-west-1.amazonaws.com', path: '/a/b' }]);
      }),
      { numRuns: 50 },
    );
  });
});

describe('an object that is larger than a stored body may be', () => {
  const chunk = Buffer.alloc(1 << 20, ' ');

  /** As many MiB as somebody reads. */
  function endless() {
    const read = { chunks: 0 };
    const body = new Readable({
      read() {
        read.chunks += 1;
        this.push(chunk);
      },
    });
    return { body, read };
  }

  it('gets refused for good by its length, before it is read', async () => {
    const { body, read } = endless();
    const { client } = s3Answering(() => ({ body, headers: { 'content-length': String(64 * (1 << 20) + 1) } }));
    const error = await s3PayloadStore({ bucket: 'bodies', client })
      .get(POINTER)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'PayloadStoreError', reason: 'too_large', transient: false });
    expect(String(error)).toContain('object "k" of bucket "bodies" is larger than 67108864 bytes');
    expect(read.chunks).toBeLessThan(3);
    expect(body.destroyed).toBe(true);
  });

  it('gets refused for good if its length is unknown or a lie', async () => {
    for (const headers of [{}, { 'content-length': '7' }]) {
      const { body, read } = endless();
      const { client } = s3Answering(() => ({ body, headers }));
      await expect(s3PayloadStore({ bucket: 'bodies', client }).get(POINTER)).rejects.toMatchObject({ reason: 'too_large' });
      expect(read.chunks).toBeLessThan(70);
      expect(body.destroyed).toBe(true);
    }
  });

  it('gets read up to the limit', async () => {
    const { client } = s3Answering(() => ({ body: Readable.from(Array.from({ length: 64 }, () => chunk)) }));
    expect(await s3PayloadStore({ bucket: 'bodies', client }).get(POINTER)).toHaveLength(64 * (1 << 20));
  });
});

describe('the owner of the bucket', () => {
  it('goes to S3 if it is known, for that bucket only', async () => {
    vi.stubEnv('DURABLE_PAYLOAD_BUCKET_OWNER', '210987654321');
    const { client, requests } = s3Answering(() => ({}));
    for (const options of [{}, { bucketOwner: '123456789012' }]) {
      const store = s3PayloadStore({ bucket: 'bodies', client, ...options });
      const pointer = await store.put('x', ABOUT);
      await store.get(pointer);
      await store.get({ bucket: 'theirs', key: 'k' });
    }
    vi.stubEnv('DURABLE_PAYLOAD_BUCKET_OWNER', '');
    await s3PayloadStore({ bucket: 'bodies', client }).put('x', ABOUT);
    const owners = requests.map(({ headers }) => headers['x-amz-expected-bucket-owner']);
    expect(owners).toEqual(['210987654321', '210987654321', undefined, '123456789012', '123456789012', undefined, undefined]);
  });
});

describe('what S3 refuses', () => {
  const transient = { reason: 'unavailable', transient: true };
  const denied = { reason: 'denied', transient: false };
  const missing = { reason: 'missing', transient: false };
  const HTML = '<!DOCTYPE html><html><body><Code>AccessDenied</Code></body></html>';
  const refusedBySts = Object.assign(new Error('no'), {
    name: 'AccessDenied',
    $fault: 'client',
    $metadata: { httpStatusCode: 403 },
    Code: 'AccessDenied',
  });
  const reset = Object.assign(new Error('read ECONNRESET'), { name: 'Error', code: 'ECONNRESET' });

  it.each([
    ['NoSuchKey', s3Error(404, 'NoSuchKey'), missing],
    ['NoSuchBucket', s3Error(404, 'NoSuchBucket'), missing],
    ['AccessDenied', s3Error(403, 'AccessDenied'), denied],
    ['InvalidAccessKeyId', s3Error(403, 'InvalidAccessKeyId'), denied],
    ['PermanentRedirect', s3Error(301, 'PermanentRedirect'), denied],
    ['ExpiredToken', s3Error(400, 'ExpiredToken'), transient],
    ['RequestTimeTooSkewed', s3Error(403, 'RequestTimeTooSkewed'), transient],
    ['SlowDown', s3Error(503, 'SlowDown'), transient],
    ['InternalError', s3Error(500, 'InternalError'), transient],
    ['a reset connection', reset, transient],
    ['an HTML 403', { status: 403, body: HTML }, transient],
    ['an HTML 404', { status: 404, body: HTML }, transient],
    ['an HTML 302', { status: 302, body: HTML }, transient],
    ['an empty 403', { status: 403 }, transient],
    ['an empty 404', { status: 404 }, transient],
    ["a gateway's JSON", { status: 403, body: '{"message":"Forbidden"}' }, transient],
    ['a refusal by the service that gives credentials', refusedBySts, transient],
  ])('%s has its reason, reading and writing', async (_name, answer, expected) => {
    const { client } = s3Answering(() => answer);
    const store = s3PayloadStore({ bucket: 'bodies', client });
    await expect(store.get(POINTER)).rejects.toMatchObject({ name: 'PayloadStoreError', code: 'payload_store', ...expected });
    const refused = await store.put('the secret body', ABOUT).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(PayloadStoreError);
    expect(refused).toMatchObject(expected);
    expect(String(refused)).toContain('bodies');
    expect(String(refused)).not.toContain('secret');
  });

  it('keeps no text of AWS, which quotes the session token where a signature is wrong', async () => {
    const body =
      '<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message><CanonicalRequest>SECRET-TOKEN</CanonicalRequest></Error>';
    const { client } = s3Answering(() => ({ status: 403, body, headers: { 'x-amz-request-id': 'R7' } }));
    const error = await s3PayloadStore({ bucket: 'bodies', client })
      .get(POINTER)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: 'denied', cause: { name: 'SignatureDoesNotMatch', message: 'HTTP status 403, request id R7' } });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('SECRET-TOKEN');
  });

  it('takes a write for done only where S3 says so: a proxy answers with its own page', async () => {
    const { client } = s3Answering(() => ({ status: 200, body: HTML, headers: { 'content-type': 'text/html' } }));
    await expect(s3PayloadStore({ bucket: 'bodies', client }).put('x', ABOUT)).rejects.toMatchObject(transient);
  });

  it('says what to do', async () => {
    const answering = (status: number, code: string) => s3PayloadStore({ bucket: 'bodies', ...s3AnsweringAlways(status, code) });
    await expect(answering(404, 'NoSuchKey').get(POINTER)).rejects.toThrow(
      'object "k" of bucket "bodies" does not exist; does a lifecycle rule',
    );
    await expect(answering(404, 'NoSuchBucket').get(POINTER)).rejects.toThrow('bucket "bodies" does not exist');
    await expect(answering(403, 'AccessDenied').get(POINTER)).rejects.toThrow('grant s3:GetObject');
    await expect(answering(403, 'AccessDenied').put('x', ABOUT)).rejects.toThrow('grant s3:PutObject');
  });

  const s3AnsweringAlways = (status: number, code: string) => ({ client: s3Answering(() => s3Error(status, code)).client });

  it('an answer that breaks off is no body', async () => {
    const broken = new Readable({
      read() {
        this.push('{"half":');
        this.destroy(new Error('aborted'));
      },
    });
    const { client } = s3Answering(() => ({ body: broken }));
    await expect(s3PayloadStore({ bucket: 'bodies', client }).get(POINTER)).rejects.toMatchObject(transient);
  });

  it('counts as a store without an answer if the client gets no credentials in time', async () => {
    vi.useFakeTimers();
    try {
      const client = new s3.S3Client({ region: 'eu-west-1', credentials: () => new Promise(() => {}) });
      const read = expect(s3Api(s3, client, 30_000).read(POINTER)).rejects.toMatchObject(transient);
      await vi.advanceTimersByTimeAsync(31_000);
      await read;
    } finally {
      vi.useRealTimers();
    }
  });

  it('an answer that never ends is given up, with the idle connections of the client', async () => {
    const silent = new Readable({ read() {} });
    const { client } = s3Answering(() => ({ body: silent }));
    const idle = { destroy: vi.fn() };
    Object.assign(client.config.requestHandler, {
      httpHandlerConfigs: () => ({ httpsAgent: { freeSockets: { 's3:443': [idle] } }, httpAgent: undefined }),
    });
    await expect(s3Api(s3, client, 20).read(POINTER)).rejects.toMatchObject({ ...transient, cause: { name: 'TimeoutError' } });
    expect(silent.destroyed).toBe(true);
    expect(idle.destroy).toHaveBeenCalledTimes(1);
  });

  it('a limit that fires late, because the process stood still, starts anew', async () => {
    vi.useFakeTimers();
    try {
      const slow = new Readable({ read() {} });
      const { client } = s3Answering(() => ({ body: slow }));
      const read = s3Api(s3, client, 30_000).read(POINTER);
      await vi.advanceTimersByTimeAsync(1_000);
      vi.setSystemTime(Date.now() + 3_600_000);
      await vi.advanceTimersByTimeAsync(29_500);
      slow.push('text');
      slow.push(null);
      expect(await read).toBe('text');
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('the options', () => {
  it('stand in for themselves: bucket from the environment, the threshold of the extended clients', () => {
    vi.stubEnv('DURABLE_PAYLOAD_BUCKET', 'from-env');
    expect(s3PayloadStore().thresholdBytes).toBe(262_144);
    expect(s3PayloadStore({ thresholdBytes: 1_048_576 }).thresholdBytes).toBe(1_048_576);
  });

  it('bucket: what is given wins over the environment', async () => {
    vi.stubEnv('DURABLE_PAYLOAD_BUCKET', 'from-env');
    const { client, requests } = s3Answering(() => ({}));
    await s3PayloadStore({ client }).put('x', ABOUT);
    await s3PayloadStore({ client, bucket: 'given' }).put('x', ABOUT);
    expect(requests.map(({ hostname }) => hostname.split('.')[0])).toEqual(['from-env', 'given']);
  });

  it('keyPrefix: what is given wins over the environment, and that over durable/', async () => {
    const { client, requests } = s3Answering(() => ({}));
    const write = (options: S3PayloadStoreOptions = {}) => s3PayloadStore({ client, bucket: 'bodies', ...options }).put('x', ABOUT);
    await write();
    vi.stubEnv('DURABLE_PAYLOAD_KEY_PREFIX', 'team/');
    await write();
    await write({ keyPrefix: 'given/' });
    expect(requests.map(({ path }) => path.split('/')[1])).toEqual(['durable', 'team', 'given']);
    vi.stubEnv('DURABLE_PAYLOAD_KEY_PREFIX', '/team');
    expect(() => s3PayloadStore({ bucket: 'bodies' })).toThrow('expected DURABLE_PAYLOAD_KEY_PREFIX to be a beginning of S3 keys');
  });

  it.each<[unknown, string]>([
    [{}, 'expected the option bucket or the environment variable DURABLE_PAYLOAD_BUCKET, got neither'],
    [{ bucket: 'No Bucket' }, 'expected bucket to be the name of an S3 bucket, got "No Bucket"'],
    [{ bucket: 'b'.repeat(64) }, 'expected bucket to be the name of an S3 bucket'],
    [{ bucket: 'bodies', bucketOwner: '1234' }, 'expected bucketOwner to be the id of an AWS account, twelve digits, got "1234"'],
    [{ bucket: 'bodies', thresholdBytes: 1_048_577 }, 'expected thresholdBytes to be an integer from 1 to 1048576, got 1048577'],
    [{ bucket: 'bodies', keyPrefix: '/x' }, 'expected keyPrefix to be a beginning of S3 keys'],
    [{ bucket: 'bodies', keyPrefix: 'a/../b/' }, 'expected keyPrefix'],
    [{ bucket: 'bodies', keyPrefix: 'é' }, 'expected keyPrefix'],
    [{ bucket: 'bodies', client: {} }, 'expected client to be an S3Client, got an object'],
    [{ bucket: 'bodies', client: s3Answering(() => ({})).client, clientConfig: {} }, 'expected client or clientConfig, got both'],
    [{ bucket: 'bodies', threshold: 1 }, 'unknown option "threshold"'],
  ])('%j is refused', (options, message) => {
    vi.stubEnv('DURABLE_PAYLOAD_BUCKET', '');
    const make = () => Reflect.apply(s3PayloadStore, undefined, [options]);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(message);
  });

  it('a bucket of the environment that AWS would refuse is named', () => {
    vi.stubEnv('DURABLE_PAYLOAD_BUCKET', 'No Bucket');
    expect(() => s3PayloadStore()).toThrow('expected DURABLE_PAYLOAD_BUCKET to be the name of an S3 bucket, got "No Bucket"');
  });

  it('take an access point, a path of prefixes, and settings that are undefined', async () => {
    const options: S3PayloadStoreOptions = {
      bucket: 'arn:aws:s3:eu-west-1:123456789012:accesspoint/bodies',
      keyPrefix: 'team/v1.2/',
      clientConfig: { forcePathStyle: undefined },
    };
    expect(() => s3PayloadStore(options)).not.toThrow();
  });
});

describe('the S3 client', () => {
  it('gets made once, with what clientConfig says, when the first body is stored', async () => {
    const { client, requests } = s3Answering(() => ({}));
    let made = 0;
    const clientConfig = {
      get region() {
        made += 1;
        return 'eu-west-1';
      },
      endpoint: 'http://127.0.0.1:9',
      forcePathStyle: true,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      requestHandler: client.config.requestHandler,
    };
    const store = s3PayloadStore({ bucket: 'bodies', clientConfig });
    expect(made).toBe(0);
    await Promise.all([store.put('x', ABOUT), store.put('y', ABOUT)]);
    expect(made).toBe(1);
    expect(requests.map(({ hostname, path }) => [hostname, path.slice(0, 16)])).toEqual([
      ['127.0.0.1', '/bodies/durable/'],
      ['127.0.0.1', '/bodies/durable/'],
    ]);
  });

  it('missing from the installation is named, with the command that installs it', () => {
    const absent = (name: string) =>
      Object.assign(new Error(`Cannot find package '${name}' imported from x`), { code: 'ERR_MODULE_NOT_FOUND' });
    const explain = (name: string) => () => explainMissingS3(absent(name));
    expect(explain('@aws-sdk/client-s3')).toThrow(ConfigurationError);
    expect(explain('@aws-sdk/client-s3')).toThrow('npm install @aws-sdk/client-s3');
    expect(explain('@smithy/core')).toThrow("Cannot find package '@smithy/core'");
  });
});
