export type { EngineWithTick, FunctionEngine, OpenEngine } from './engine-environment.ts';
export type { EngineHandlerOptions } from './engine-options.ts';
export type { FunctionTransport } from './function-transport.ts';
export { type SqsEngineHandler, sqsEngineHandler } from './sqs-engine-handler.ts';
