import type { SQSRecord } from 'aws-lambda';
import { receiveCountOf } from './step-in-work.ts';

/** Records that are worked on one after the other. */
export type Line = readonly SQSRecord[];

/**
 * The records of a batch in lines: one for each FIFO message group, in order; on a standard queue one for each record. A message that
 * came twice in one batch stands in it once.
 *
 * What was received most often stands first: where not all of a batch can be started in its time, the rest goes back and has used up a
 * receive. By chance alone some tasks would be among the rest again and again, and become dead letters without ever having run.
 */
export function linesOf(records: readonly SQSRecord[]): readonly Line[] {
  const seen = new Set<string>();
  const lines: SQSRecord[][] = [];
  const lineOfGroup = new Map<string, SQSRecord[]>();
  for (const record of records) {
    const others = seen.size;
    if (seen.add(record.messageId).size === others) continue;
    const group = fifoGroup(record);
    const line = group === undefined ? undefined : lineOfGroup.get(group);
    if (line !== undefined) {
      line.push(record);
      continue;
    }
    const started = [record];
    lines.push(started);
    if (group !== undefined) lineOfGroup.set(group, started);
  }
  return lines.some((line) => receivesOf(line) > 1) ? lines.sort((one, other) => receivesOf(other) - receivesOf(one)) : lines;
}

function receivesOf([first]: Line): number {
  return first === undefined ? 0 : receiveCountOf(first);
}

/** The message group that orders a record; on a standard queue a group is only the tenant of fair queues and orders nothing. */
export function fifoGroup({ eventSourceARN, attributes }: SQSRecord): string | undefined {
  return eventSourceARN?.endsWith('.fifo') ? (attributes?.MessageGroupId ?? '') : undefined;
}
