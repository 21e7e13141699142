import { CreateQueueCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { expect, it } from 'vitest';
import { startLocalSqs } from '../../src/local/index.ts';
import { startTestSqs } from '../support/sqs-server.ts';
import { startStrictProxy } from '../support/strict-proxy.ts';
import { createQueue, send, until } from './local/queues.ts';

it('the strict layer refuses in the words of SQS, and ends a test run in which it had to', async () => {
  const sqs = await startTestSqs();
  const client = new SQSClient(sqs.clientConfig);
  const queueUrl = await createQueue(client);
  await expect(client.send(new CreateQueueCommand({ QueueName: 'a.b' }))).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  await expect(client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: '\uFFFF' }))).rejects.toMatchObject({
    name: 'InvalidMessageContents',
    $metadata: { httpStatusCode: 400, attempts: 1 },
  });
  client.destroy();
  await expect(sqs.stop()).rejects.toThrow('AWS would have refused [{"action":"CreateQueue"');
});

it('the strict layer gives a message without what was not asked for', async () => {
  const sqs = await startTestSqs();
  const client = new SQSClient(sqs.clientConfig);
  const queueUrl = await createQueue(client);
  const MessageAttributes = { durable: { DataType: 'String', StringValue: '1' } };
  await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: 'x', MessageAttributes }));
  const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, WaitTimeSeconds: 1 }));
  expect(Messages).toMatchObject([{ Body: 'x' }]);
  expect(Messages?.[0]).not.toHaveProperty('Attributes');
  expect(Messages?.[0]).not.toHaveProperty('MessageAttributes');
  client.destroy();
  await sqs.stop();
});

it('the strict layer ends the long poll of a client that has gone', async () => {
  // The embedded server, whatever the suite runs on: it gives back what such a poll takes, and counts.
  const inner = await startLocalSqs();
  const proxy = await startStrictProxy(inner.endpoint);
  const client = new SQSClient({ ...inner.clientConfig, endpoint: proxy.endpoint });
  const queueUrl = await createQueue(client);
  const gone = new AbortController();
  const poll = client.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, WaitTimeSeconds: 20 }), { abortSignal: gone.signal });
  await until(() => expect(inner.requests().ReceiveMessage).toBe(1));
  gone.abort();
  await expect(poll).rejects.toThrow();
  await send(client, queueUrl, ['a']);
  const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, WaitTimeSeconds: 20 }));
  expect(Messages?.map(({ Body }) => Body)).toEqual(['a']);
  expect(proxy.requests()).toEqual({ CreateQueue: 1, ReceiveMessage: 2, SendMessageBatch: 1 });
  client.destroy();
  await proxy.stop();
  await inner.stop();
});
