import { describe, expect, it } from 'vitest';
import {
  DEAD_LETTERS_RETENTION_SECONDS,
  queueAttributes,
  RESULTS_RETENTION_SECONDS,
  TASKS_RETENTION_SECONDS,
} from '../../../src/topology/queue-attributes.ts';

describe('queueAttributes', () => {
  it('encrypts at rest and polls long', () => {
    expect(queueAttributes({ retentionSeconds: 60, visibilityTimeoutSeconds: 30 })).toEqual({
      MessageRetentionPeriod: '60',
      VisibilityTimeout: '30',
      ReceiveMessageWaitTimeSeconds: '20',
      SqsManagedSseEnabled: 'true',
    });
  });

  it('writes the redrive policy as SQS wants it', () => {
    const { RedrivePolicy } = queueAttributes({
      retentionSeconds: 60,
      visibilityTimeoutSeconds: 30,
      redrive: { deadLetterQueueArn: 'arn:aws:sqs:eu-west-1:1:d', maxReceiveCount: 10 },
    });
    expect(JSON.parse(RedrivePolicy ?? '')).toEqual({ deadLetterTargetArn: 'arn:aws:sqs:eu-west-1:1:d', maxReceiveCount: 10 });
  });

  it('makes a FIFO queue of high throughput per group, where ids alone tell duplicates', () => {
    expect(queueAttributes({ retentionSeconds: 60, visibilityTimeoutSeconds: 30, fifo: true })).toMatchObject({
      FifoQueue: 'true',
      ContentBasedDeduplication: 'false',
      DeduplicationScope: 'messageGroup',
      FifoThroughputLimit: 'perMessageGroupId',
    });
  });

  it('keeps dead letters longer than whatever they came from: they keep their first enqueue time', () => {
    expect(TASKS_RETENTION_SECONDS).toBe(4 * 86_400);
    expect(RESULTS_RETENTION_SECONDS).toBe(10 * 86_400);
    expect(DEAD_LETTERS_RETENTION_SECONDS).toBe(14 * 86_400);
  });
});
