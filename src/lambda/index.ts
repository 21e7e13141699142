export type { PayloadPointer, PayloadStore, PayloadSubject } from '../payloads/payload-store.ts';
export { type S3ClientLike, type S3ClientSettings, type S3PayloadStoreOptions, s3PayloadStore } from '../payloads/s3-payload-store.ts';
export type { StandardSchemaV1 } from '../step/standard-schema.ts';
export type { StepContext } from '../step/step-context.ts';
export type { SqsBatchHandler, StepMiddleware, StepMiddlewareRequest } from './batch-handler.ts';
export { type DeadLetterHandlerOptions, type SqsDeadLetterHandler, sqsDeadLetterHandler } from './dead-letter-handler.ts';
export { PARKED_ATTRIBUTE, type ParkedNote } from './parked-message.ts';
export { type SqsStepHandler, sqsStepHandler } from './sqs-step-handler.ts';
export type {
  ChannelOptions,
  LambdaStepContext,
  MetricsOption,
  SingleStepHandlerOptions,
  StepDefinition,
  StepFunction,
  StepHandlerOptions,
} from './step-handler-options.ts';
