export type { ContainerStepFunction } from '../container/container-step.ts';
export type { PayloadPointer, PayloadStore, PayloadSubject } from '../payloads/payload-store.ts';
export { type S3ClientLike, type S3ClientSettings, type S3PayloadStoreOptions, s3PayloadStore } from '../payloads/s3-payload-store.ts';
export type { AttachableEngine } from './engine/attachable-engine.ts';
export type { ReceivedAnswer, SentTask, TransportEvents, TransportTracing } from './observers.ts';
export type { AttachOptions } from './session.ts';
export { SqsTransport } from './sqs-transport.ts';
export type { QueueUrlResolver, SqsTransportOptions } from './transport-options.ts';
