import { DurableSqsError } from './base.ts';

/**
 * SQS accepted no result of a whole batch. The Lambda handler throws it, because Lambda's pollers slow down for a
 * failed invocation.
 */
export class ResultsNotAcceptedError extends DurableSqsError {
  override readonly name = 'ResultsNotAcceptedError';
  readonly code = 'results_not_accepted';

  constructor(records: number, options?: ErrorOptions) {
    super(`SQS accepted none of the results of ${records} record(s); the batch will be delivered again`, options);
  }
}

/** What a Lambda handler was invoked with is not an SQS event. */
export class InvalidEventError extends DurableSqsError {
  override readonly name = 'InvalidEventError';
  readonly code = 'invalid_event';
}

/**
 * A replay by hand (`DURABLE_REPLAY=print`) in which a record would be redelivered. Thrown so that the command exits
 * with 1.
 */
export class ReplayFailedError extends DurableSqsError {
  override readonly name = 'ReplayFailedError';
  readonly code = 'replay_failed';

  constructor(failed: number, records: number) {
    super(`${failed} of ${records} record(s) gave no result; the log lines above say why`);
  }
}

/**
 * A step failure: its fields become `StepResult.error`, from which the engine decides on a retry.
 *
 * `code` is one of {@link StepFailureCode}; `retryable: false` stops the engine's retries.
 */
export class StepFailedError extends DurableSqsError {
  override readonly name = 'StepFailedError';
  readonly code: StepFailureCode;
  readonly retryable: boolean;

  constructor(code: StepFailureCode, message: string, retryable = false) {
    super(message);
    this.code = code;
    this.retryable = retryable;
  }
}

/**
 * A workflow on Lambda asked for something that the wire to the engine does not carry. Thrown at the call, so that it
 * is never ignored.
 */
export class UnsupportedInWorkflowError extends DurableSqsError {
  override readonly name = 'UnsupportedInWorkflowError';
  readonly code = 'unsupported_in_workflow';
  readonly retryable = false;

  /**
   * @param call as it stands in the workflow's code
   * @param instead a sentence without its full stop: what does the same
   */
  constructor(call: string, instead?: string) {
    const advice = instead === undefined ? 'Run' : `${instead}. Or run`;
    super(`${call}: a workflow on a worker has no way to ask the engine for it. ${advice} this workflow in the engine's process.`);
  }
}

/** Codes that this package itself puts into `StepResult.error.code`; all others are the step's own. */
export type StepFailureCode =
  | 'no_handler'
  | 'invalid_input'
  | 'invalid_output'
  | 'unserializable_output'
  | 'result_too_large'
  | 'lambda_timeout'
  | 'dead_letter'
  | 'payload_store'
  | 'result_refused';
