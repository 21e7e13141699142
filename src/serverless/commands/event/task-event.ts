import { createHash, randomUUID } from 'node:crypto';
import type { SQSEvent } from 'aws-lambda';
import { InvalidMessageError } from '../../../errors.ts';
import { LOCAL_ACCOUNT, sqsRecord } from '../../../local/sqs-event.ts';
import { messageGroupOfRun } from '../../../topology/message-group.ts';
import { queueArn } from '../../../topology/queue-address.ts';
import { encodeRemoteTask } from '../../../wire/remote-task.ts';
import { decodeWorkflowTask } from '../../../wire/workflow-task.ts';
import type { DurableStep } from '../../durable-service.ts';
import { CommandError } from '../command-error.ts';

export interface TaskEventOptions {
  readonly input: unknown;
  readonly runId: string;
  readonly stepId: string | undefined;
  readonly attempt: number;
  /** Of a workflow. @default '1' */
  readonly workflowVersion?: string | undefined;
  /** What the run of a workflow has done so far. @default nothing: its first turn */
  readonly history?: unknown;
  /** Records of the event, each the task of another run. */
  readonly count: number;
  readonly region: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * The event that Lambda would make of tasks of a step, or of turns of a workflow.
 * @throws CommandError for a history that is none
 */
export function taskEvent(step: DurableStep, options: TaskEventOptions): SQSEvent {
  const { count, runId, now, region } = options;
  const source = { arn: queueArn({ region, account: LOCAL_ACCOUNT, name: step.queues.tasks }), region };
  const runIds = Array.from({ length: count }, (_, index) => (count === 1 ? runId : `${runId}-${index + 1}`));
  return {
    Records: runIds.map((id, index) => {
      const attributes = { ApproximateReceiveCount: '1', SentTimestamp: String(now), ApproximateFirstReceiveTimestamp: String(now) };
      const body = step.kind === 'workflow' ? turn(step, id, options) : task(step, id, options);
      const message = {
        MessageId: randomUUID(),
        // SQS accepts no such handle: a replay can neither delete nor hide a message of a live queue.
        ReceiptHandle: 'made-by-serverless-durable-event',
        Body: body,
        MD5OfBody: createHash('md5').update(body).digest('hex'),
        Attributes: step.fifo ? { ...attributes, ...fifoAttributes(id, index) } : attributes,
      };
      return sqsRecord(message, source);
    }),
  };
}

function task(step: DurableStep, runId: string, { input, attempt, stepId }: TaskEventOptions): string {
  return encodeRemoteTask({ runId, seq: 0, name: step.name, stepId: stepId ?? `${runId}:0`, group: step.token, input, attempt });
}

function turn(step: DurableStep, runId: string, { input, workflowVersion = '1', history = [] }: TaskEventOptions): string {
  const taskId = `${runId}:wf:local`;
  const body = JSON.stringify({ taskId, runId, workflow: step.name, workflowVersion, input, history, group: step.token, attempt: 1 });
  try {
    decodeWorkflowTask(body);
  } catch (error) {
    if (error instanceof InvalidMessageError) throw new CommandError(`--history-file: ${error.message}`, { cause: error });
    throw error;
  }
  return body;
}

function fifoAttributes(runId: string, index: number) {
  return {
    MessageGroupId: messageGroupOfRun(runId),
    MessageDeduplicationId: randomUUID(),
    SequenceNumber: String(index + 1).padStart(20, '0'),
  };
}
