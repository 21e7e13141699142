import type { SQSRecord } from 'aws-lambda';
import { errorFields, type LogFields, type Logger } from '../logger.ts';
import { queueUrlOfArn } from '../topology/queue-address.ts';
import { MAX_BATCH_ENTRIES } from '../wire/limits.ts';
import type { WorkerQueues } from './worker-queues.ts';

/** Requests at the same time: all records have to be released within the reserve of the deadline. */
const REQUESTS_IN_FLIGHT = 8;

/**
 * Releases records that were not started, so that another invocation gets them at once. What fails is only logged: the
 * records are reported all the same, and redelivered after their visibility timeout.
 * @param over whether to stop: the invocation is about to end
 */
export async function releaseRecords(
  records: readonly SQSRecord[],
  queues: Pick<WorkerQueues, 'release'>,
  logger: Logger,
  fields: LogFields,
  over: () => boolean,
): Promise<void> {
  if (queues.release === undefined) return;
  const requests = requestsFor(records);
  let failed = 0;
  let cause: unknown;
  const release = async () => {
    for (let request = requests.shift(); request !== undefined; request = requests.shift()) {
      if (over()) return;
      try {
        failed += (await queues.release?.(request.queueUrl, request.receiptHandles)) ?? 0;
      } catch (error) {
        failed += request.receiptHandles.length;
        cause = error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(REQUESTS_IN_FLIGHT, requests.length) }, release));
  if (failed === 0) return;
  const why = cause === undefined ? {} : errorFields(cause);
  logger.warn('records that were not started are redelivered only after their visibility timeout', { ...fields, records: failed, ...why });
}

interface Request {
  readonly queueUrl: string;
  readonly receiptHandles: string[];
}

/** A batch comes from one queue; sorted by queue all the same, since nothing says that it always will. */
function requestsFor(records: readonly SQSRecord[]): Request[] {
  const requests: Request[] = [];
  const open = new Map<string, Request>();
  for (const { eventSourceARN, receiptHandle } of records) {
    const queueUrl = queueUrlOfArn(eventSourceARN);
    if (queueUrl === undefined) continue;
    let request = open.get(queueUrl);
    if (request === undefined || request.receiptHandles.length >= MAX_BATCH_ENTRIES) {
      request = { queueUrl, receiptHandles: [] };
      requests.push(request);
      open.set(queueUrl, request);
    }
    request.receiptHandles.push(receiptHandle);
  }
  return requests;
}
