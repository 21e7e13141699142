import type { AdminSqs } from '../aws/admin-sqs.ts';
import { createAttributes, type PlannedQueue } from '../queue-plan.ts';

/** Creates the queues of a plan on a local SQS. Gives their URLs by name, on the endpoint's own host: the server's own does not resolve. */
export async function createPlan(sqs: AdminSqs, plan: readonly PlannedQueue[], endpoint: string): Promise<Map<string, string>> {
  const urls = new Map<string, string>();
  const arns = new Map<string, string>();
  // In the plan each comes after the one it redrives to.
  for (const queue of plan) {
    const redriveArn = queue.redrive === undefined ? undefined : arns.get(queue.redrive.to);
    const url = await sqs.createQueue(queue.name, createAttributes(queue, redriveArn));
    const { QueueArn } = await sqs.attributes(url);
    if (QueueArn !== undefined) arns.set(queue.name, QueueArn);
    urls.set(queue.name, `${endpoint}${new URL(url).pathname}`);
  }
  return urls;
}
