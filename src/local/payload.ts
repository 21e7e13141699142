import type { Message } from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import { type EventSource, sqsRecord } from './sqs-event.ts';

/**
 * Most bytes of an invocation's event, and of its response.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
export const MAX_PAYLOAD_BYTES = 6 * 1_048_576;

/** A received message, ready to be put into an event. */
export interface ReceivedRecord {
  readonly messageId: string;
  readonly receiptHandle: string;
  /** FIFO message group; on a standard queue, the tenant of fair queues. */
  readonly groupId: string | undefined;
  /** The record, as JSON. */
  readonly json: string;
  readonly bytes: number;
}

export function receivedRecord(message: Message, source: EventSource): ReceivedRecord {
  const record = sqsRecord(message, source);
  const json = JSON.stringify(record);
  const { messageId, receiptHandle, attributes } = record;
  return { messageId, receiptHandle, groupId: attributes.MessageGroupId, json, bytes: Buffer.byteLength(json) };
}

/** The event of a batch. A new object each time: a handler may change it. */
export function sqsEvent(batch: readonly ReceivedRecord[]): SQSEvent {
  return JSON.parse(`{"Records":[${batch.map(({ json }) => json).join(',')}]}`);
}

/**
 * Splits messages, in order, into batches that fit one invocation. A message that is too large by itself gets a batch
 * of its own.
 */
export function payloadBatches(records: readonly ReceivedRecord[], maxBytes: number = MAX_PAYLOAD_BYTES): ReceivedRecord[][] {
  const batches: ReceivedRecord[][] = [];
  let current: ReceivedRecord[] = [];
  let bytes = ENVELOPE_BYTES;
  for (const item of records) {
    if (current.length > 0 && bytes + item.bytes + 1 > maxBytes) {
      batches.push(current);
      current = [];
      bytes = ENVELOPE_BYTES;
    }
    current.push(item);
    bytes += item.bytes + 1;
  }
  if (current.length > 0) batches.push(current);
  return batches;
}

// Minus one: each record is counted with a comma, which the last one does not have.
const ENVELOPE_BYTES = '{"Records":[]}'.length - 1;
