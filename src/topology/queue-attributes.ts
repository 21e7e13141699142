import type { PlannedQueue } from './planned-queues.ts';

/** The longest that SQS allows: every empty receive is billed, however short. */
const LONG_POLL_SECONDS = 20;

/**
 * High throughput per group, and no deduplication by content: two attempts of a step have the same body but for a
 * number, and results may be alike byte for byte.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html
 */
const FIFO = {
  FifoQueue: true,
  ContentBasedDeduplication: false,
  DeduplicationScope: 'messageGroup',
  FifoThroughputLimit: 'perMessageGroupId',
} as const;

/**
 * The attributes that need no other resource, under names that `CreateQueue` and CloudFormation share. CloudFormation
 * expects these types.
 */
export function plainAttributes({ fifo, retentionSeconds, visibilityTimeoutSeconds }: PlannedQueue) {
  return {
    ...(fifo ? FIFO : {}),
    MessageRetentionPeriod: retentionSeconds,
    VisibilityTimeout: visibilityTimeoutSeconds,
    ReceiveMessageWaitTimeSeconds: LONG_POLL_SECONDS,
  };
}

/** Encryption at rest: by a KMS key where there is one, else by the key that SQS keeps. */
export function encryption<Key>(kmsKey: Key | undefined) {
  return kmsKey === undefined ? { SqsManagedSseEnabled: true } : { KmsMasterKeyId: kmsKey };
}

/** @param target ARN of the queue that it redrives to */
export function redrivePolicy<Arn>({ redrive }: PlannedQueue, target: Arn) {
  return redrive === undefined ? undefined : { deadLetterTargetArn: target, maxReceiveCount: redrive.maxReceiveCount };
}

/**
 * The attributes for `CreateQueue`, which accepts strings only.
 * @param target ARN of the queue that it redrives to; undefined where there is none
 */
export function createQueueAttributes(queue: PlannedQueue, target: string | undefined): Record<string, string> {
  const attributes = { ...plainAttributes(queue), ...encryption(undefined) };
  const policy = target === undefined ? undefined : redrivePolicy(queue, target);
  return {
    ...Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, String(value)])),
    ...(policy === undefined ? {} : { RedrivePolicy: JSON.stringify(policy) }),
  };
}
