/**
 * Attributes of the queues that we make. Every number has its reason here and nowhere else.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
 */
const DAY_SECONDS = 24 * 60 * 60;

/** Throttled invocations and neighbours of a poison message use up receives too, so few would kill healthy tasks. */
export const TASKS_MAX_RECEIVE_COUNT = 10;
/** A result is refused only while the engine's store is down: that must not end in a dead letter. */
export const RESULTS_MAX_RECEIVE_COUNT = 100;
/** A dead-letter handler that fails this often leaves the message for a human. */
export const DEAD_LETTERS_MAX_RECEIVE_COUNT = 10;

export const TASKS_RETENTION_SECONDS = 4 * DAY_SECONDS;
export const RESULTS_RETENTION_SECONDS = 10 * DAY_SECONDS;
/** SQS's maximum. A dead letter keeps its first enqueue time, so any retention not above its source's would lose it early. */
export const DEAD_LETTERS_RETENTION_SECONDS = 14 * DAY_SECONDS;

/** AWS's advice for a queue behind a Lambda event source mapping: so many function timeouts of visibility. */
export const VISIBILITY_PER_FUNCTION_TIMEOUT = 6;

export interface Redrive {
  readonly deadLetterQueueArn: string;
  readonly maxReceiveCount: number;
}

export interface QueueAttributeOptions {
  readonly retentionSeconds: number;
  readonly visibilityTimeoutSeconds: number;
  readonly redrive?: Redrive;
  /** @default false */
  readonly fifo?: boolean;
}

/**
 * High throughput per group, and no deduplication by content: two attempts of a step have the same body but for a number, and results
 * may be alike byte for byte.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html
 */
const FIFO_ATTRIBUTES = {
  FifoQueue: 'true',
  ContentBasedDeduplication: 'false',
  DeduplicationScope: 'messageGroup',
  FifoThroughputLimit: 'perMessageGroupId',
};

/** The attributes for `CreateQueue`: encrypted at rest, long polling on. */
export function queueAttributes(options: QueueAttributeOptions): Record<string, string> {
  const { retentionSeconds, visibilityTimeoutSeconds, redrive, fifo = false } = options;
  return {
    MessageRetentionPeriod: String(retentionSeconds),
    VisibilityTimeout: String(visibilityTimeoutSeconds),
    ReceiveMessageWaitTimeSeconds: '20',
    SqsManagedSseEnabled: 'true',
    ...(fifo ? FIFO_ATTRIBUTES : {}),
    ...(redrive === undefined
      ? {}
      : { RedrivePolicy: JSON.stringify({ deadLetterTargetArn: redrive.deadLetterQueueArn, maxReceiveCount: redrive.maxReceiveCount }) }),
  };
}
