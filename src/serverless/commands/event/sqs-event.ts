import { createHash, randomUUID } from 'node:crypto';
import type { SQSEvent } from 'aws-lambda';
import { LOCAL_ACCOUNT, sqsRecord } from '../../../local/sqs-event.ts';
import { queueArn } from '../../../topology/queue-address.ts';
import type { QueueMessages } from '../messages/queue-messages.ts';

/**
 * The event that Lambda would make of messages.
 * @param now milliseconds since the epoch
 */
export function sqsEvent({ queueName, messages }: QueueMessages, region: string, now: number): SQSEvent {
  const source = { arn: queueArn({ region, account: LOCAL_ACCOUNT, name: queueName }), region };
  return {
    Records: messages.map(({ body, groupId }, index) => {
      const attributes = { ApproximateReceiveCount: '1', SentTimestamp: String(now), ApproximateFirstReceiveTimestamp: String(now) };
      const message = {
        MessageId: randomUUID(),
        // SQS accepts no such handle: a replay can neither delete nor hide a message of a live queue.
        ReceiptHandle: 'made-by-serverless-durable-event',
        Body: body,
        MD5OfBody: createHash('md5').update(body).digest('hex'),
        Attributes: groupId === undefined ? attributes : { ...attributes, ...fifoAttributes(groupId, index) },
      };
      return sqsRecord(message, source);
    }),
  };
}

function fifoAttributes(groupId: string, index: number) {
  return {
    MessageGroupId: groupId,
    MessageDeduplicationId: randomUUID(),
    SequenceNumber: String(index + 1).padStart(20, '0'),
  };
}
