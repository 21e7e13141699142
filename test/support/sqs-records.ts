import type { Context, SQSEvent, SQSRecord } from 'aws-lambda';
import { encodeRemoteTask, type RemoteTask } from '../../src/wire/remote-task.ts';

/** A task as an engine sends it. Its ids follow from `seq`, so that a few of them are told apart at a glance. */
export function taskFor(fields: Partial<RemoteTask> = {}): RemoteTask {
  const { seq = 0, name = 'step', runId = 'run' } = fields;
  return { runId, seq, name, stepId: `${runId}:${seq}`, group: name, input: null, attempt: 1, ...fields };
}

/** A record as an event source mapping hands it over. A task is encoded; a text is the body as it is. */
export function recordOf(task: RemoteTask | string, fields: Partial<SQSRecord> & { readonly receiveCount?: number } = {}): SQSRecord {
  const { receiveCount = 1, ...record } = fields;
  return {
    messageId: typeof task === 'string' ? 'message' : `message-${task.seq}`,
    receiptHandle: 'receipt',
    body: typeof task === 'string' ? task : encodeRemoteTask(task),
    attributes: {
      ApproximateReceiveCount: String(receiveCount),
      SentTimestamp: '1790000000000',
      SenderId: 'AIDAEXAMPLE',
      ApproximateFirstReceiveTimestamp: '1790000000001',
    },
    messageAttributes: {},
    md5OfBody: '00000000000000000000000000000000',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:us-east-1:123456789012:durable-tasks-step',
    awsRegion: 'us-east-1',
    ...record,
  };
}

export function eventOf(...records: readonly SQSRecord[]): SQSEvent {
  return { Records: [...records] };
}

/** An event of one record per input, all for the same step. */
export function eventOfInputs(inputs: readonly unknown[], name = 'step'): SQSEvent {
  return eventOf(...inputs.map((input, seq) => recordOf(taskFor({ seq, name, input }))));
}

/** A context whose time does not pass by itself. */
export function contextOf(fields: Partial<Context> = {}): Context {
  return {
    awsRequestId: 'request',
    callbackWaitsForEmptyEventLoop: true,
    functionName: 'worker',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:worker',
    logGroupName: '/aws/lambda/worker',
    logStreamName: 'stream',
    memoryLimitInMB: '128',
    getRemainingTimeInMillis: () => 30_000,
    done: () => undefined,
    fail: () => undefined,
    succeed: () => undefined,
    ...fields,
  };
}
