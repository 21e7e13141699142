export type { AttachableEngine } from './continue-run.ts';
export { type ContainerStepFunction, SqsTransport } from './sqs-transport.ts';
export type { QueueUrlResolver, SqsTransportOptions } from './transport-options.ts';
