import type { GroupHealth } from '@dudousxd/nestjs-durable-core';
import { QueueNotFoundError } from '../errors.ts';
import type { QueueDirectory } from '../sqs/queue-directory.ts';
import type { SqsApi } from '../sqs/sqs-api.ts';

const DEPTH_ATTRIBUTES = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible', 'ApproximateNumberOfMessagesDelayed'];

/** Depth of a tasks queue, and one worker that stands for Lambda: an empty list would show as "nobody consumes". */
export async function groupHealth(group: string, queues: QueueDirectory, api: Pick<SqsApi, 'queueAttributes'>): Promise<GroupHealth> {
  const queueUrl = await queues.tasksQueueUrl(group);
  const attributes = await api.queueAttributes(queueUrl, DEPTH_ATTRIBUTES).catch((error: unknown) => {
    // Deleted since it was looked up: the next look finds the one that was made anew.
    if (error instanceof QueueNotFoundError) queues.forget(queueUrl);
    throw error;
  });
  const depth = Object.values(attributes).reduce((sum, count) => sum + Number(count), 0);
  return { group, depth, liveWorkers: [{ group, instanceId: 'aws-lambda', lastBeatAt: Date.now() }] };
}
