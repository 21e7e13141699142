import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { GetQueueUrlCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { startLocalSqs } from '../../../src/local/embedded-sqs.ts';
import { createQueue, send, until } from './queues.ts';

describe('startLocalSqs', () => {
  it('serves clients with its configuration, in its region, and counts their requests', async () => {
    const sqs = await startLocalSqs({ region: 'eu-central-1' });
    const client = new SQSClient(sqs.clientConfig);
    try {
      expect(sqs.endpoint).toBe(`http://127.0.0.1:${sqs.port}`);
      expect(sqs.requests()).toEqual({});
      const queueUrl = await createQueue(client, { name: 'counted' });
      expect(queueUrl).toContain('eu-central-1');
      await send(client, queueUrl, ['a', 'b']);
      await send(client, queueUrl, ['c']);
      await client.send(new GetQueueUrlCommand({ QueueName: 'counted' }));
      const counted = sqs.requests();
      expect(counted).toEqual({ CreateQueue: 1, SendMessageBatch: 2, GetQueueUrl: 1 });
      await send(client, queueUrl, ['d']);
      expect(counted.SendMessageBatch).toBe(2);
    } finally {
      client.destroy();
      await sqs.stop();
    }
  });

  it('stops at once although long polls are open', async () => {
    const sqs = await startLocalSqs();
    const client = new SQSClient({ ...sqs.clientConfig, maxAttempts: 1 });
    const queueUrl = await createQueue(client);
    const polls = [1, 2].map(() => client.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, WaitTimeSeconds: 20 })).catch(() => 'cut'));
    await until(() => expect(sqs.requests().ReceiveMessage).toBe(2));
    const startedAt = performance.now();
    await sqs.stop();
    await Promise.all(polls);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    client.destroy();
  });

  it('gives back what it hands to a long poll whose client has gone', async () => {
    const sqs = await startLocalSqs();
    const client = new SQSClient(sqs.clientConfig);
    try {
      const queueUrl = await createQueue(client);
      const gone = new AbortController();
      const poll = client.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, WaitTimeSeconds: 20 }), { abortSignal: gone.signal });
      await until(() => expect(sqs.requests().ReceiveMessage).toBe(1));
      gone.abort();
      await expect(poll).rejects.toThrow();
      await send(client, queueUrl, ['a']);
      const startedAt = performance.now();
      const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, WaitTimeSeconds: 20 }));
      expect(Messages?.map(({ Body }) => Body)).toEqual(['a']);
      expect(performance.now() - startedAt).toBeLessThan(5_000);
    } finally {
      client.destroy();
      await sqs.stop();
    }
  });

  it('listens on the loopback address only', async () => {
    const sqs = await startLocalSqs();
    const elsewhere = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .find(({ family, internal }) => family === 'IPv4' && !internal);
    // Binding the same port on another address works only where nobody listens on all of them.
    const probe = createServer();
    try {
      await new Promise<void>((resolve, reject) => {
        probe.once('error', reject).listen(sqs.port, elsewhere?.address ?? '127.0.0.2', resolve);
      });
    } finally {
      probe.close();
      await sqs.stop();
    }
  });

  it('takes the port it is given, and says so where that is taken', async () => {
    const first = await startLocalSqs();
    try {
      await expect(startLocalSqs({ port: first.port })).rejects.toThrow('EADDRINUSE');
    } finally {
      await first.stop();
    }
    const second = await startLocalSqs({ port: first.port });
    expect(second.port).toBe(first.port);
    await second.stop();
  });
});
