export type { StandardSchemaV1 } from '../step/standard-schema.ts';
export type { StepContext } from '../step/step-context.ts';
export type { SqsBatchHandler, StepMiddleware, StepMiddlewareRequest } from './batch-handler.ts';
export type { LambdaStepContext } from './run-record.ts';
export { type SqsStepHandler, sqsStepHandler } from './sqs-step-handler.ts';
export type { SingleStepHandlerOptions, StepDefinition, StepFunction, StepHandlerOptions } from './step-handler-options.ts';
