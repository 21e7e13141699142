import type { Message } from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import { type EventSource, sqsRecord } from './sqs-event.ts';

/**
 * Most bytes of an invocation's event, and of its response.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
export const MAX_PAYLOAD_BYTES = 6 * 1_048_576;

/** A message on its way into an event. */
export interface Delivery {
  readonly messageId: string;
  readonly receiptHandle: string;
  /** FIFO group, or a standard queue's tenant of fair queues. */
  readonly groupId: string | undefined;
  /** The record, as JSON. */
  readonly json: string;
  readonly bytes: number;
}

export function delivery(message: Message, source: EventSource): Delivery {
  const record = sqsRecord(message, source);
  const json = JSON.stringify(record);
  const { messageId, receiptHandle, attributes } = record;
  return { messageId, receiptHandle, groupId: attributes.MessageGroupId, json, bytes: Buffer.byteLength(json) };
}

/** The event of a batch: made anew, so that what a handler does to it stays there. */
export function sqsEvent(batch: readonly Delivery[]): SQSEvent {
  return JSON.parse(`{"Records":[${batch.map(({ json }) => json).join(',')}]}`);
}

/** Splits what was received, in order, so that each part fits one invocation. A message that is too large alone goes alone. */
export function payloadBatches(deliveries: readonly Delivery[], maxBytes: number = MAX_PAYLOAD_BYTES): Delivery[][] {
  const batches: Delivery[][] = [];
  let current: Delivery[] = [];
  let bytes = ENVELOPE_BYTES;
  for (const item of deliveries) {
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

// Less the comma that each record is counted with and the last does not have.
const ENVELOPE_BYTES = '{"Records":[]}'.length - 1;
