/** Every error that this package throws, in one place. */
export { ConfigurationError, DurableSqsError } from './errors/base.ts';
export {
  AwaitedElsewhereError,
  NamespaceMismatchError,
  ResultRefusedError,
  RunLockedError,
  StepTimeoutUnsupportedError,
  StoreUnavailableError,
  TransportClosedError,
} from './errors/engine-errors.ts';
export {
  DispatchTimeoutError,
  InvalidMessageError,
  type MessageKind,
  PayloadStoreError,
  QueueNotFoundError,
  SqsRequestError,
  TaskTooLargeError,
} from './errors/sqs-errors.ts';
export {
  InvalidEventError,
  ReplayFailedError,
  ResultsNotAcceptedError,
  StepFailedError,
  type StepFailureCode,
  UnsupportedInWorkflowError,
} from './errors/worker-errors.ts';
