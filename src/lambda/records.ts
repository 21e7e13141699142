import type { SQSRecord } from 'aws-lambda';
import type { TaskMessage } from '../step/in-flight-task.ts';
import { isFifoQueue } from '../topology/fifo-queues.ts';

/** A record as the step core has it. @param marker name of the attribute that marks our messages, where there is one */
export function taskMessage(record: SQSRecord, marker: string | undefined): TaskMessage {
  const { messageId, eventSourceARN: queue, body, messageAttributes } = record;
  const marked = marker === undefined || messageAttributes?.[marker] !== undefined;
  return { messageId, queue, body, receiveCount: receiveCountOf(record), marked };
}

/** Records that are handled one after the other. */
export type RecordGroup = readonly SQSRecord[];

/**
 * The records of a batch, by message group of a FIFO queue and in order; on a standard queue each for itself. A message
 * that came twice in one batch stands in it once.
 *
 * What was received most often comes first: where not all of a batch can be started in its time, the rest goes back and
 * has used up a receive. By chance alone some tasks would be among the rest again and again, and become dead letters
 * that never ran.
 *
 * Not by `Map.groupBy`, with each record of a standard queue as its own key: that costs 2 % of a record.
 */
export function byMessageGroup(records: readonly SQSRecord[]): RecordGroup[] {
  const seen = new Set<string>();
  const groups: SQSRecord[][] = [];
  const byId = new Map<string, SQSRecord[]>();
  for (const record of records) {
    if (seen.has(record.messageId)) continue;
    seen.add(record.messageId);
    const id = messageGroupOf(record);
    const group = id === undefined ? undefined : byId.get(id);
    if (group !== undefined) {
      group.push(record);
      continue;
    }
    const started = [record];
    groups.push(started);
    if (id !== undefined) byId.set(id, started);
  }
  if (!groups.some(([first]) => receiveCountOf(first) > 1)) return groups;
  return groups.sort(([one], [other]) => receiveCountOf(other) - receiveCountOf(one));
}

/**
 * The message group that orders a record; on a standard queue a group is only the tenant of fair queues and orders
 * nothing.
 */
export function messageGroupOf({ eventSourceARN = '', attributes }: SQSRecord): string | undefined {
  return isFifoQueue(eventSourceARN) ? (attributes?.MessageGroupId ?? '') : undefined;
}

/** How often SQS has delivered a record, from 1. */
export function receiveCountOf(record: SQSRecord | undefined): number {
  return Number(record?.attributes?.ApproximateReceiveCount ?? 1);
}
