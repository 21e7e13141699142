import { setTimeout as sleep } from 'node:timers/promises';
import { GetQueueAttributesCommand, type SQSClient } from '@aws-sdk/client-sqs';

/** Messages on a queue, hidden ones counted. */
export async function depth(client: SQSClient, queueUrl: string): Promise<number> {
  const command = new GetQueueAttributesCommand({
    QueueUrl: queueUrl,
    AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
  });
  return Object.values((await client.send(command)).Attributes ?? {}).reduce((sum, count) => sum + Number(count), 0);
}

/** Waits until nothing is on the queues. Gives what is left after the time. */
export async function untilEmpty(client: SQSClient, queueUrls: readonly string[], timeoutMs: number): Promise<number> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const depths = await Promise.all(queueUrls.map((url) => depth(client, url)));
    const left = depths.reduce((sum, count) => sum + count, 0);
    if (left === 0 || Date.now() > deadline) return left;
    await sleep(250);
  }
}
