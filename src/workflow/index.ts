export type { WorkflowContext } from '@dudousxd/durable-worker';
export { type SqsWorkflowHandler, sqsWorkflowHandler } from './sqs-workflow-handler.ts';
export type { TypedWorkflow, WorkflowHandlerOptions, WorkflowsByVersion } from './workflow-options.ts';
