import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
} from '@aws-sdk/client-sqs';
import type { Clients } from '../server/clients.ts';

/** Calls by name. */
export type Attempts = Readonly<Record<string, () => Promise<unknown>>>;

/** What nobody at work in a service may do with any of its queues, nor with the bucket outside the prefix. */
export function neverAllowed({ sqs, s3 }: Clients, queueUrls: readonly string[], bucket: string): Attempts {
  const ofQueue = (QueueUrl: string): Attempts => {
    const name = nameOf(QueueUrl);
    return {
      [`PurgeQueue ${name}`]: () => sqs.send(new PurgeQueueCommand({ QueueUrl })),
      [`DeleteQueue ${name}`]: () => sqs.send(new DeleteQueueCommand({ QueueUrl })),
      [`SetQueueAttributes ${name}`]: () => sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '0' } })),
    };
  };
  return {
    ...Object.assign({}, ...queueUrls.map(ofQueue)),
    CreateQueue: () => sqs.send(new CreateQueueCommand({ QueueName: 'variants-tasks-own' })),
    'PutObject outside the prefix': () => s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'else/where', Body: '{}' })),
    'GetObject outside the prefix': () => s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'else/where' })),
    'ListObjects of the bucket': () => s3.send(new ListObjectsV2Command({ Bucket: bucket })),
  };
}

export function receiveAndDelete({ sqs }: Clients, queueUrls: readonly string[]): Attempts {
  return Object.assign(
    {},
    ...queueUrls.map((QueueUrl) => ({
      [`ReceiveMessage ${nameOf(QueueUrl)}`]: () => sqs.send(new ReceiveMessageCommand({ QueueUrl })),
      [`DeleteMessage ${nameOf(QueueUrl)}`]: () => sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: 'any' })),
    })),
  );
}

export function send({ sqs }: Clients, queueUrls: readonly string[], note = ''): Attempts {
  return Object.assign(
    {},
    ...queueUrls.map((QueueUrl) => ({
      [`SendMessage ${nameOf(QueueUrl)}${note}`]: () =>
        sqs.send(
          new SendMessageCommand({
            QueueUrl,
            MessageBody: 'by a test of rights',
            ...(QueueUrl.endsWith('.fifo') ? { MessageGroupId: 'rights', MessageDeduplicationId: 'rights' } : {}),
          }),
        ),
    })),
  );
}

/** The attempts that were not answered with AccessDenied, and what came instead. */
export async function notRefused(attempts: Attempts): Promise<string[]> {
  const outcomes = await Promise.all(
    Object.entries(attempts).map(async ([what, attempt]) => {
      try {
        await attempt();
        return `${what}: allowed`;
      } catch (error) {
        const name = error instanceof Error ? error.name : String(error);
        return /^AccessDenied(Exception)?$/.test(name) ? '' : `${what}: ${name}`;
      }
    }),
  );
  return outcomes.filter((outcome) => outcome !== '');
}

export function nameOf(queueUrl: string): string {
  return queueUrl.slice(queueUrl.lastIndexOf('/') + 1);
}
