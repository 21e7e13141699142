import type { GroupHealth } from '@dudousxd/nestjs-durable-core';
import { QueueNotFoundError } from '../errors.ts';
import type { QueueDirectory } from '../sqs/queue-directory.ts';
import type { SqsApi } from '../sqs/sqs-api.ts';

const DEPTH_ATTRIBUTES = [
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
] as const;

/**
 * Depth of a tasks queue, and one worker that stands for Lambda: an empty list would show as "nobody consumes". No depth and no worker
 * where there is no such queue: the engine asks every transport of a pool for every group, and one that rejects is the end of its report.
 */
export async function groupHealth(group: string, queues: QueueDirectory, api: Pick<SqsApi, 'queueAttributes'>): Promise<GroupHealth> {
  const queueUrl = await queues.findTasksQueueUrl(group);
  const depth = queueUrl === undefined ? undefined : await depthOf(queueUrl, queues, api);
  if (depth === undefined) return { group, depth: 0, liveWorkers: [] };
  return { group, depth, liveWorkers: [{ group, instanceId: 'aws-lambda', lastBeatAt: Date.now() }] };
}

async function depthOf(queueUrl: string, queues: QueueDirectory, api: Pick<SqsApi, 'queueAttributes'>): Promise<number | undefined> {
  try {
    const attributes = await api.queueAttributes(queueUrl, DEPTH_ATTRIBUTES);
    return Object.values(attributes).reduce((sum, count) => sum + Number(count), 0);
  } catch (error) {
    if (!(error instanceof QueueNotFoundError)) throw error;
    // Deleted since it was looked up: the next look finds the one that was made anew.
    queues.forget(queueUrl);
    return undefined;
  }
}
