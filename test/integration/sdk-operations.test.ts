import { SQSClient } from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { call } from '../../src/sqs/api-calls.ts';
import { openSqs } from '../../src/sqs/open-sqs.ts';
import type { ClosableOperations } from '../../src/sqs/sqs-operations.ts';
import { type StubSqs, startStubSqs } from '../support/stub-sqs.ts';

const CONNECTIONS = 5;

let sqs: StubSqs;
let client: SQSClient;
let operations: ClosableOperations;

beforeEach(async () => {
  sqs = await startStubSqs();
  const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' };
  client = new SQSClient({ endpoint: sqs.endpoint, region: 'us-east-1', credentials });
  operations = openSqs({ client });
});
afterEach(async () => {
  operations.destroy();
  client.destroy();
  await sqs.stop();
});

const send = (timeoutMs = 5_000) => {
  const input = { QueueUrl: sqs.queueUrl, Entries: [{ Id: '0', MessageBody: 'a' }] };
  return call(operations, 'SendMessageBatch', sqs.queueUrl, input, { timeoutMs });
};
const receive = (timeoutMs: number) => call(operations, 'ReceiveMessage', sqs.queueUrl, { QueueUrl: sqs.queueUrl }, { timeoutMs });
const hang = () => undefined;

it('a call without an answer closes the idle connections of the client: others on the way are as dead', async () => {
  await Promise.all(Array.from({ length: CONNECTIONS }, () => send()));
  expect(sqs.connections.size).toBe(CONNECTIONS);
  sqs.answer(hang);
  await expect(send(200)).rejects.toMatchObject({ sqsCode: 'TimeoutError', transient: true });
  await send();
  expect(sqs.requests.at(-1)?.connection).toBeGreaterThan(CONNECTIONS);
});

it('a long poll without an answer leaves the connections of sends alone', async () => {
  await send();
  sqs.answer(hang);
  await expect(receive(200)).rejects.toMatchObject({ sqsCode: 'TimeoutError' });
  await send();
  expect(sqs.requests.map(({ operation, connection }) => [operation, connection])).toEqual([
    ['SendMessageBatch', 1],
    ['ReceiveMessage', 2],
    ['SendMessageBatch', 1],
  ]);
});
