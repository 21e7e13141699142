export { type AttachableEngine, type ContainerStepFunction, SqsTransport } from './sqs-transport.ts';
export type { QueueUrlResolver, SqsTransportOptions } from './transport-options.ts';
