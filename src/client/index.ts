export type { PayloadPointer, PayloadStore, PayloadSubject } from '../payloads/payload-store.ts';
export { type S3ClientLike, type S3ClientSettings, type S3PayloadStoreOptions, s3PayloadStore } from '../payloads/s3-payload-store.ts';
export { type RunToStart, runStarter, type StartedRun, type StartRunFunction, startRun } from './run-starter.ts';
export type { RunStarterOptions } from './start-options.ts';
