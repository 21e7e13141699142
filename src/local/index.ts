export { type LocalSqs, type LocalSqsOptions, startLocalSqs } from './embedded-sqs.ts';
export { LocalEventSourceMapping } from './event-source-mapping.ts';
export { type LambdaContextOptions, lambdaContext } from './lambda-context.ts';
export type { SqsLambdaHandler } from './lambda-runtime.ts';
export type { EventSourceMappingOptions, InvocationReport } from './mapping-options.ts';
export { type CreatedQueues, type CreateQueuesOptions, createQueues } from './queues.ts';
export { judgeResponse, type Verdict } from './response.ts';
export { type RunStepOptions, runStep, type StepHandlerLike } from './run-step.ts';
export { type EventSource, eventSource, sqsRecord } from './sqs-event.ts';
