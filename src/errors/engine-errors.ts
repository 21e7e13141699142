import { DurableSqsError, RunError, StepError, type StepIds } from './base.ts';

/** The transport was closed before the engine got a result. SQS redelivers the result. */
export class TransportClosedError extends DurableSqsError {
  override readonly name = 'TransportClosedError';
  readonly code = 'transport_closed';
}

/** Another engine instance held the lock of a run for as long as its result could wait. SQS redelivers the result. */
export class RunLockedError extends RunError {
  override readonly name = 'RunLockedError';
  readonly code = 'run_locked';

  constructor(runId: string) {
    super(runId, `run ${runId} is locked by another engine instance; its result will be redelivered`);
  }
}

/** A result belongs to a run of another engine's namespace; it is redelivered until it reaches that engine. */
export class NamespaceMismatchError extends RunError {
  override readonly name = 'NamespaceMismatchError';
  readonly code = 'namespace_mismatch';

  constructor(runId: string) {
    super(runId, `run ${runId} belongs to the namespace of another engine; its result will be redelivered`);
  }
}

/**
 * Another engine instance waits in memory for a result (its step has a `timeoutMs`); it is redelivered until it reaches
 * that instance.
 */
export class AwaitedElsewhereError extends DurableSqsError {
  override readonly name = 'AwaitedElsewhereError';
  readonly code = 'awaited_elsewhere';
  readonly stepId: string;

  constructor(stepId: string) {
    super(`the result of step ${stepId} is awaited by another engine instance; it will be redelivered`);
    this.stepId = stepId;
  }
}

/**
 * The engine's store refuses the value of a result. Its step has been failed, so that the run does not wait for ever.
 */
export class ResultRefusedError extends StepError {
  override readonly name = 'ResultRefusedError';
  readonly code = 'result_refused';

  /** @param why the code of the store's error, in brackets; its message may quote the value */
  constructor(step: StepIds, why: string) {
    super(
      step,
      `the engine's store refuses the result of step ${step.stepId}${why}, so the step fails with result_refused. Look for NUL characters and half surrogate ` +
        'pairs in its output.',
    );
  }
}

/** A step with `timeoutMs` was dispatched by an engine in a Lambda function, which cannot wait for it in memory. */
export class StepTimeoutUnsupportedError extends StepError {
  override readonly name = 'StepTimeoutUnsupportedError';
  readonly code = 'step_timeout_unsupported';

  constructor(step: StepIds & { name: string }) {
    super(
      step,
      `step ${step.stepId} ("${step.name}") has a timeoutMs. The engine awaits such a step in memory, and a Lambda function ends before its result comes. ` +
        'Use a durable time-out instead: start a child workflow that runs the step and signals its result, and await that with ' +
        'ctx.waitForSignal(token, { timeoutMs }).',
    );
  }
}

/**
 * The engine's store did not answer. An engine function throws it, because Lambda's pollers slow down for a failed
 * invocation.
 */
export class StoreUnavailableError extends DurableSqsError {
  override readonly name = 'StoreUnavailableError';
  readonly code = 'store_unavailable';

  constructor(records: number, options?: ErrorOptions) {
    super(`the engine's store does not answer; ${records} record(s) will be delivered again`, options);
  }
}
