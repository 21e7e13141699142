import type { PlannedQueue } from '../../../topology/planned-queues.ts';
import { createQueueAttributes } from '../../../topology/queue-attributes.ts';
import type { AdminSqs } from '../aws/admin-sqs.ts';

/**
 * Creates the queues of a plan on the local SQS. Gives their URLs by name, at the endpoint: the host in the server's
 * own URLs does not resolve.
 */
export async function createPlan(
  sqs: Pick<AdminSqs, 'createQueue' | 'attributes'>,
  plan: readonly PlannedQueue[],
  endpoint: string,
): Promise<Map<string, string>> {
  const urls = new Map<string, string>();
  const arns = new Map<string, string>();
  // The plan lists each queue after its dead-letter queue.
  for (const queue of plan) {
    const redriveArn = queue.redrive === undefined ? undefined : arns.get(queue.redrive.to);
    const url = await sqs.createQueue(queue.name, createQueueAttributes(queue, redriveArn));
    const { QueueArn } = await sqs.attributes(url);
    if (QueueArn !== undefined) arns.set(queue.name, QueueArn);
    urls.set(queue.name, `${endpoint}${new URL(url).pathname}`);
  }
  return urls;
}
