export type { PayloadPointer, PayloadStore, PayloadSubject } from '../payloads/payload-store.ts';
export { type S3ClientLike, type S3ClientSettings, type S3PayloadStoreOptions, s3PayloadStore } from '../payloads/s3-payload-store.ts';
export type { StandardSchemaV1 } from '../step/standard-schema.ts';
export type { StepContext } from '../step/step-context.ts';
export type { LambdaStepContext } from './run-records.ts';
export { type SqsStepHandler, type StepMiddleware, type StepMiddlewareRequest, sqsStepHandler } from './sqs-step-handler.ts';
export type { SingleStepHandlerOptions, StepDefinition, StepFunction, StepHandlerOptions } from './step-handler-options.ts';
