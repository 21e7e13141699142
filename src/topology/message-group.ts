import { hash } from 'node:crypto';

/**
 * The message group ids that SQS accepts.
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
 */
const LEGAL = /^[\x21-\x7e]{1,128}$/;
const HASHED = /^run-[0-9a-f]{64}$/;

/**
 * The FIFO message group of a run: its id, or a hash of the id where SQS would refuse it (a run id is free text).
 *
 * The engine and workers of every language must give a run the same group: on a FIFO queue the group is what keeps its
 * messages in order.
 */
export function messageGroupOfRun(runId: string): string {
  // An id that looks like a hash is hashed too: two runs never share a group by accident.
  return LEGAL.test(runId) && !HASHED.test(runId) ? runId : `run-${hash('sha256', runId)}`;
}
