import { CreateBucketCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBody, storeLargeBody } from '../../src/payloads/message-body.ts';
import type { PayloadStore } from '../../src/payloads/payload-store.ts';
import { s3PayloadStore } from '../../src/payloads/s3-payload-store.ts';
import { sqsApi } from '../../src/sqs/api-calls.ts';
import { openSqs } from '../../src/sqs/open-sqs.ts';
import { createQueue, depth } from '../integration/local/queues.ts';
import { type Moto, startMoto } from './moto.ts';
import { awsEnvironment, runPython } from './python.ts';

const ABOUT = { kind: 'task', runId: 'run/1-..s3Key', stepId: 'run/1-..s3Key:0', seq: 0 } as const;
const BODY = JSON.stringify({ text: 'naïve 日本 😀 "\\\n'.repeat(30_000) });
const bucket = 'bodies';

let moto: Moto;
let sqs: SQSClient;
let s3: S3Client;
let store: PayloadStore;

beforeAll(async () => {
  moto = await startMoto();
  const config = { endpoint: moto.endpoint, region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
  sqs = new SQSClient(config);
  s3 = new S3Client({ ...config, forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  store = s3PayloadStore({ bucket, client: s3 });
});

afterAll(async () => {
  sqs?.destroy();
  s3?.destroy();
  await moto?.stop();
});

const extended = (what: string, queueUrl: string, stdin = '') =>
  runPython('extended.py', [what, queueUrl, bucket], awsEnvironment(moto.endpoint), stdin);
const objects = async () => (await s3.send(new ListObjectsV2Command({ Bucket: bucket }))).KeyCount;

describe('the extended client for Python', () => {
  it('reads the body that our pointer stands for, and deletes message and object', async () => {
    const queueUrl = await createQueue(sqs);
    const message = await storeLargeBody({ body: BODY, attributes: { durable: '1' } }, ABOUT, store);
    expect(await sqsApi(openSqs({ client: sqs })).sendMessages(queueUrl, [message])).toEqual([{ ok: true }]);
    expect(await objects()).toBe(1);

    const read: { body: string; attributes: object } = JSON.parse(await extended('receive', queueUrl));
    expect(read.body === BODY).toBe(true);
    // ExtendedPayloadSize is its own and taken away; what else there is stays.
    expect(read.attributes).toEqual({ durable: { StringValue: '1', DataType: 'String' } });
    expect(await depth(sqs, queueUrl)).toBe(0);
    expect(await objects()).toBe(0);
  });

  it.each([
    ['send', 'software.amazon.payloadoffloading.PayloadS3Pointer', 'ExtendedPayloadSize'],
    ['send-legacy', 'com.amazon.sqs.javamessaging.MessageS3Pointer', 'SQSLargePayloadSize'],
  ])('writes what we read: %s', async (what, className, attribute) => {
    const queueUrl = await createQueue(sqs);
    await extended(what, queueUrl, BODY);
    const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, MessageAttributeNames: ['All'] }));
    const [message] = Messages ?? [];
    expect(message?.Body).toContain(className);
    expect(message?.MessageAttributes).toEqual({ [attribute]: { StringValue: String(Buffer.byteLength(BODY)), DataType: 'Number' } });
    expect((await readBody(message?.Body ?? '', store)) === BODY).toBe(true);
  });

  it('leaves alone a body that is small', async () => {
    const queueUrl = await createQueue(sqs);
    const message = await storeLargeBody({ body: '{}' }, ABOUT, store);
    await sqsApi(openSqs({ client: sqs })).sendMessages(queueUrl, [message]);
    expect(JSON.parse(await extended('receive', queueUrl))).toEqual({ body: '{}', attributes: {} });
  });
});
