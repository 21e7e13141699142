import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, DeleteObjectCommand, HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LocalSqs, startLocalSqs } from '../../../src/local/index.ts';
import { s3PayloadStore } from '../../../src/payloads/s3-payload-store.ts';

const ABOUT = { kind: 'result', runId: 'run', stepId: 'run:0', seq: 0 } as const;
const bucket = `bodies-${randomUUID()}`;

let server: LocalSqs;
let client: S3Client;

// fauxqs, whatever SQS_ENDPOINT says: a server of SQS alone has no S3.
beforeAll(async () => {
  server = await startLocalSqs({ s3: true });
  client = new S3Client(clientConfig());
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
});

afterAll(async () => {
  client.destroy();
  await server.stop();
});

const clientConfig = () => {
  const { endpoint, region, credentials } = server.clientConfig;
  return { endpoint, region, ...(credentials === undefined ? {} : { credentials }), forcePathStyle: true };
};

it('a body of 5 MiB in many scripts comes back as it was', async () => {
  const store = s3PayloadStore({ bucket, clientConfig: clientConfig() });
  const body = JSON.stringify({ text: 'naïve 日本 😀 \u0000 "'.repeat(200_000) });
  expect(Buffer.byteLength(body)).toBeGreaterThan(5 * 1024 * 1024);
  const pointer = await store.put(body, ABOUT);
  // Not toBe: it would print both.
  expect((await store.get(pointer)) === body).toBe(true);
  const object = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: pointer.key }));
  expect(object).toMatchObject({ ContentType: 'application/json', ContentLength: Buffer.byteLength(body) });
});

it('ids of any kind make keys that S3 takes', async () => {
  const store = s3PayloadStore({ bucket, client });
  for (const runId of ['..', 'a/b?c#d%20+&', '日本', 'x'.repeat(3_000), '\uD83D']) {
    const pointer = await store.put(runId, { ...ABOUT, runId });
    expect(await store.get(pointer)).toBe(Buffer.from(runId).toString());
  }
});

it('an object that is gone, and a bucket that never was, are missing', async () => {
  const store = s3PayloadStore({ bucket, client });
  const pointer = await store.put('x', ABOUT);
  await client.send(new DeleteObjectCommand({ Bucket: pointer.bucket, Key: pointer.key }));
  await expect(store.get(pointer)).rejects.toMatchObject({ reason: 'missing', transient: false });
  await expect(store.get({ ...pointer, bucket: 'never-was' })).rejects.toMatchObject({ reason: 'missing' });
  await expect(s3PayloadStore({ bucket: 'never-was', client }).put('x', ABOUT)).rejects.toMatchObject({ reason: 'missing' });
});

it('a server that cannot be reached is unavailable, which passes', async () => {
  const gone = await startLocalSqs({ s3: true });
  await gone.stop();
  const store = s3PayloadStore({ bucket, clientConfig: { ...clientConfig(), endpoint: gone.endpoint, maxAttempts: 1 } });
  await expect(store.put('x', ABOUT)).rejects.toMatchObject({ reason: 'unavailable', transient: true });
});
