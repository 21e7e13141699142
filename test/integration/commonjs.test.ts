import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalSqs, startLocalSqs } from '../../src/local/index.ts';
import { contextOf, eventOfInputs } from '../support/sqs-records.ts';

const worker = fileURLToPath(new URL('../../dist/cjs/worker.cjs', import.meta.url));
const native = createRequire(import.meta.url);

/**
 * Loads a file of the CommonJS build as Jest does: compiled here, with a `require` of our own and no way to `import()`.
 * What belongs to other packages is loaded by Node.
 */
function withoutImport(file: string, loaded = new Map<string, { exports: object }>()): object {
  const known = loaded.get(file);
  if (known !== undefined) return known.exports;
  const module = { exports: {} };
  loaded.set(file, module);
  const require = (name: string) => (name.startsWith('.') ? withoutImport(join(dirname(file), name), loaded) : native(name));
  const run = compileFunction(readFileSync(file, 'utf8'), ['exports', 'require', 'module'], { filename: file });
  Reflect.apply(run, undefined, [module.exports, require, module]);
  return module.exports;
}

/** The worker's entry, seen as its types have it. */
function loadWorker(): typeof import('../../src/lambda/index.ts');
function loadWorker(): object {
  return withoutImport(worker);
}

const KEYS = { accessKeyId: 'a', secretAccessKey: 's' };

let local: LocalSqs;
let s3: S3Client;
let sqs: SQSClient;

const s3Config = () => ({ endpoint: local.endpoint, region: local.region, credentials: KEYS, forcePathStyle: true });

beforeAll(async () => {
  local = await startLocalSqs({ s3: true });
  s3 = new S3Client(s3Config());
  sqs = new SQSClient(local.clientConfig);
});
afterAll(async () => {
  s3.destroy();
  sqs.destroy();
  await local.stop();
});

describe('the CommonJS build where nothing can be imported, as in Jest', () => {
  it('loads the clients of SQS and S3 when they are needed', async () => {
    const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: 'durable-results' }));
    await s3.send(new CreateBucketCommand({ Bucket: 'bodies' }));
    const { s3PayloadStore, sqsStepHandler } = loadWorker();
    const payloadStore = s3PayloadStore({
      bucket: 'bodies',
      thresholdBytes: 1_000,
      clientConfig: s3Config(),
    });
    const handler = sqsStepHandler('step', () => 'x'.repeat(2_000), {
      // Credentials that are looked up are the SDK's business.
      clientConfig: { endpoint: local.endpoint, region: local.region, credentials: async () => KEYS },
      resultsQueueUrl: QueueUrl,
      payloadStore,
    });
    expect(await handler(eventOfInputs([1]), contextOf())).toEqual({ batchItemFailures: [] });
    const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1 }));
    expect(Messages?.[0]?.Body).toContain('PayloadS3Pointer');
    expect((await s3.send(new ListObjectsV2Command({ Bucket: 'bodies' }))).KeyCount).toBe(1);
  });
});
