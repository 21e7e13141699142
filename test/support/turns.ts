import type { WorkflowDecision, WorkflowTask } from '@dudousxd/nestjs-durable-core';
import { WORKFLOW_HANDLER } from '../../src/lambda/handler-marks.ts';
import { NO_RETRIES, type WorkerQueues } from '../../src/lambda/worker-queues.ts';
import type { OutgoingMessage } from '../../src/sqs/sqs-api.ts';
import { decodeWorkflowDecision } from '../../src/wire/workflow-decision.ts';
import { encodeWorkflowTask } from '../../src/wire/workflow-task.ts';
import { sqsWorkflowHandler, type WorkflowContext } from '../../src/workflow/index.ts';
import { capturingLogger } from './capturing-logger.ts';
import { contextOf, eventOf, recordOf } from './sqs-records.ts';

export function turnOf(fields: Partial<WorkflowTask> = {}): WorkflowTask {
  return {
    taskId: 'run:wf:1',
    runId: 'run',
    workflow: 'checkout',
    workflowVersion: '1',
    input: 2,
    history: [],
    group: 'checkout',
    attempt: 1,
    ...fields,
  };
}

export type Workflow = (ctx: WorkflowContext, input: number) => unknown;

/** One invocation; gives the decisions that were sent, and the ids of the records that were reported. */
export async function turn(task: Partial<WorkflowTask> | string, workflow: Workflow, options: { remainingMs?: number } = {}) {
  const logger = capturingLogger();
  const sent: OutgoingMessage[] = [];
  const queues: WorkerQueues = {
    url: async () => 'results',
    retries: () => NO_RETRIES,
    send: async (_url, message) => void sent.push(message),
  };
  const handler = sqsWorkflowHandler({ checkout: { 1: workflow, 3: workflow } }, { logger });
  const body = typeof task === 'string' ? task : encodeWorkflowTask(turnOf(task));
  const lambda = contextOf(options.remainingMs === undefined ? {} : remaining(options.remainingMs));
  const answer = await handler[WORKFLOW_HANDLER].invoke(eventOf(recordOf(body)), lambda, queues).catch((error: Error) => error);
  const decisions = sent.map((message): WorkflowDecision => decodeWorkflowDecision(message.body));
  return { decisions, logger, reported: answer instanceof Error ? answer : answer.batchItemFailures };
}

function remaining(ms: number) {
  const endsAt = Date.now() + ms;
  return { getRemainingTimeInMillis: () => Math.max(0, endsAt - Date.now()) };
}
