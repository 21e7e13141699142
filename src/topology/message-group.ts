import { createHash } from 'node:crypto';

/** What SQS takes as a message group id. @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html */
const LEGAL = /^[\x21-\x7e]{1,128}$/;
const HASHED = /^run-[0-9a-f]{64}$/;

/**
 * The FIFO message group of a run: its id, or a hash of it where SQS would refuse the id (a run id is free text).
 *
 * Engine and workers of any language that take part in a FIFO queue must agree on it: same run, same group.
 */
export function messageGroupOfRun(runId: string): string {
  // An id that looks like a hash is hashed too: two runs never share a group by accident.
  return LEGAL.test(runId) && !HASHED.test(runId) ? runId : `run-${createHash('sha256').update(runId).digest('hex')}`;
}
