import type { SQSEvent } from 'aws-lambda';
import { type EventSource, eventSource, sqsRecord } from 'durable-sqs-lambda/local';
import { ECHO_STEP } from './echo-step.ts';

const SOURCE: EventSource = eventSource(`https://sqs.us-east-1.amazonaws.com/123456789012/durable-tasks-${ECHO_STEP}`, 'us-east-1');

/** A task of a run of its own, as the engine sends it: about 130 bytes. */
export function taskBody(index: number): string {
  const runId = `r-${index}`;
  const input = { orderId: `o-${index}` };
  return JSON.stringify({
    runId,
    seq: 0,
    stepId: `${runId}:0`,
    name: ECHO_STEP,
    group: ECHO_STEP,
    input,
    attempt: 1,
    transport: 'default',
  });
}

/** What Lambda invokes a function with for a batch of `size` tasks. */
export function taskEvent(size: number): SQSEvent {
  const Records = Array.from({ length: size }, (_, index) =>
    sqsRecord(
      {
        MessageId: `00000000-0000-0000-0000-${String(index).padStart(12, '0')}`,
        ReceiptHandle: `receipt-${index}`,
        Body: taskBody(index),
        MD5OfBody: '00000000000000000000000000000000',
        Attributes: {
          ApproximateReceiveCount: '1',
          SentTimestamp: '1790000000000',
          SenderId: 'AIDAEXAMPLE',
          ApproximateFirstReceiveTimestamp: '1790000000001',
        },
      },
      SOURCE,
    ),
  );
  return { Records };
}
