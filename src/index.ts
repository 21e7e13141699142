export * from './errors.ts';
export * from './lambda/index.ts';
export type { LogFields, Logger } from './logger.ts';
// Types for a `serverless.ts`. Not from the plugin's entry: a CommonJS module with one default export can hold no types
// beside it.
export type { DurableFunctionEvent, DurableSettings } from './serverless/config/settings-types.ts';
export {
  DEFAULT_PREFIX,
  deadLetterQueueName,
  effectivePrefix,
  parkedQueueName,
  type QueueNameOptions,
  resultsDeadLetterQueueName,
  resultsQueueName,
  tasksQueueName,
  tokenOfTasksQueue,
} from './topology/queue-names.ts';
export * from './transport/index.ts';
export type { RemoteTask } from './wire/remote-task.ts';
export type { StepError, StepEvent, StepResult } from './wire/step-result.ts';
