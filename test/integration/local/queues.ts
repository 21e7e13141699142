import { randomUUID } from 'node:crypto';
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  type QueueAttributeName,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { vi } from 'vitest';
import { SQS_ENDPOINT } from '../../support/sqs-server.ts';

/**
 * Long enough for a busy machine; every wait ends as soon as its condition holds. ElasticMQ leaves a long poll on a
 * queue that is deleted without an answer for 20 s; moto takes 5 s to give out 200 messages, 14 s at a load of 6.
 */
const PATIENCE = SQS_ENDPOINT === undefined ? { timeout: 15_000, interval: 20 } : { timeout: 50_000, interval: 100 };

export const until = (condition: () => void | Promise<void>) => vi.waitFor(condition, PATIENCE);

export async function createQueue(client: SQSClient, options: { fifo?: boolean; visibilitySeconds?: number; name?: string } = {}) {
  const { fifo = false, visibilitySeconds = 30, name = `q-${randomUUID()}` } = options;
  const command = new CreateQueueCommand({
    QueueName: fifo ? `${name}.fifo` : name,
    Attributes: { VisibilityTimeout: String(visibilitySeconds), ...(fifo ? { FifoQueue: 'true' } : {}) },
  });
  const { QueueUrl } = await client.send(command);
  if (QueueUrl === undefined) throw new Error('expected a queue URL, got none');
  return QueueUrl;
}

export async function send(
  client: SQSClient,
  queueUrl: string,
  bodies: readonly string[],
  group?: (body: string) => string,
): Promise<void> {
  for (let first = 0; first < bodies.length; first += 10) {
    const Entries = bodies.slice(first, first + 10).map((body, index): SendMessageBatchRequestEntry => {
      const fifo = group && { MessageGroupId: group(body), MessageDeduplicationId: randomUUID() };
      return { Id: String(index), MessageBody: body, ...fifo };
    });
    await client.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
  }
}

/** Messages on the queue, hidden ones included. */
export async function depth(client: SQSClient, queueUrl: string): Promise<number> {
  const names: QueueAttributeName[] = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'];
  // Of two readings the larger: a message that becomes visible between the server's own two counts is in neither.
  return Math.max(await total(client, queueUrl, names), await total(client, queueUrl, names));
}

/** Messages that a receive would give. */
export function ready(client: SQSClient, queueUrl: string): Promise<number> {
  return total(client, queueUrl, ['ApproximateNumberOfMessages']);
}

async function total(client: SQSClient, queueUrl: string, names: QueueAttributeName[]): Promise<number> {
  const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: names }));
  return names.reduce((sum, name) => sum + Number(Attributes?.[name]), 0);
}
