/**
 * Every error this package throws, in one place.
 *
 * Each has a `code` to branch on, and a literal `name`: minifiers rename classes, so `constructor.name` does not
 * survive a bundle. Messages carry identifiers (queue, message id, run id, step id) and never a body, an input or an
 * output: a payload may hold a card number.
 */

/** Base of the taxonomy: `error instanceof DurableSqsError` tells ours from everybody else's. */
export abstract class DurableSqsError extends Error {
  abstract override readonly name: string;
  /** Stable, machine-readable; one per class. */
  abstract readonly code: string;
}

/**
 * An option, environment variable or name is wrong. Thrown at construction or module load, never while messages flow.
 */
export class ConfigurationError extends DurableSqsError {
  override readonly name = 'ConfigurationError';
  readonly code = 'configuration';
}

/** A queue that is looked up by name does not exist (and `autoCreate` is off), or one that was given by URL. */
export class QueueNotFoundError extends DurableSqsError {
  override readonly name = 'QueueNotFoundError';
  readonly code = 'queue_not_found';
  readonly queue: string;
  readonly region: string;

  /** @param options `why`: what is known of it, the likeliest cause first */
  constructor(queue: string, region: string, options?: ErrorOptions & { readonly why?: string }) {
    super(`no SQS queue "${queue}" in region ${region}: ${options?.why ?? 'check prefix, deployment, region, account'}`, options);
    this.queue = queue;
    this.region = region;
  }
}

/** What a message of a durable queue can be: the payloads of nestjs-durable's wire. */
export type MessageKind = 'RemoteTask' | 'StepResult' | 'WorkflowTask' | 'WorkflowDecision' | 'StartRunMessage' | 'WakeUp';

/** A message body is not the JSON it should be. Says which field, what was expected and which kind was found. */
export class InvalidMessageError extends DurableSqsError {
  override readonly name = 'InvalidMessageError';
  readonly code = 'invalid_message';
  /** What is wrong, by field path and kind; holds no value from the body. */
  readonly problem: string;

  constructor(expected: MessageKind, problem: string) {
    super(`message body is not a ${expected}: ${problem}`);
    this.problem = problem;
  }
}

/** A task is larger than one SQS message may be. The step cannot be dispatched as it is. */
export class TaskTooLargeError extends DurableSqsError {
  override readonly name = 'TaskTooLargeError';
  readonly code = 'task_too_large';
  readonly runId: string;
  readonly stepId: string;
  /** Bytes of body and attributes. */
  readonly bytes: number;

  constructor(task: { runId: string; stepId: string; name: string }, bytes: number, limit: number) {
    super(
      `task of step ${task.stepId} ("${task.name}") is ${bytes} bytes, SQS accepts ${limit}. Give the transport a payloadStore, or pass a reference to ` +
        'the data instead of the data.',
    );
    this.runId = task.runId;
    this.stepId = task.stepId;
    this.bytes = bytes;
  }
}

/** SQS refused a request or one entry of it, or could not be reached. */
export class SqsRequestError extends DurableSqsError {
  override readonly name = 'SqsRequestError';
  readonly code = 'sqs_request';
  /** SQS's own error code, or the network error's. */
  readonly sqsCode: string;
  /** True where the same request may succeed later (throttling, 5xx, network); false where it never will. */
  readonly transient: boolean;

  constructor(
    operation: string,
    sqsCode: string,
    transient: boolean,
    { cause, detail }: { cause?: unknown; detail?: string | undefined } = {},
  ) {
    super(`SQS ${operation} failed: ${sqsCode}${detail === undefined ? '' : ` (${detail})`}`, cause === undefined ? undefined : { cause });
    this.sqsCode = sqsCode;
    this.transient = transient;
  }
}

/**
 * `dispatch` failed for transient reasons until its time was up. A send without an answer is ambiguous: SQS may have
 * the task.
 */
export class DispatchTimeoutError extends DurableSqsError {
  override readonly name = 'DispatchTimeoutError';
  readonly code = 'dispatch_timeout';
  readonly runId: string;
  readonly stepId: string;

  constructor(task: { runId: string; stepId: string }, timeoutMs: number, options?: ErrorOptions) {
    super(`task of step ${task.stepId} was not accepted by SQS within ${timeoutMs} ms; SQS may have it all the same`, options);
    this.runId = task.runId;
    this.stepId = task.stepId;
  }
}

/** The transport was closed before the engine got a result. SQS redelivers the result. */
export class TransportClosedError extends DurableSqsError {
  override readonly name = 'TransportClosedError';
  readonly code = 'transport_closed';
}

/** Another engine instance held the lock of a run for as long as its result could wait. SQS redelivers the result. */
export class RunLockedError extends DurableSqsError {
  override readonly name = 'RunLockedError';
  readonly code = 'run_locked';
  readonly runId: string;

  constructor(runId: string) {
    super(`run ${runId} is locked by another engine instance; its result will be redelivered`);
    this.runId = runId;
  }
}

/** A result belongs to a run of another engine's namespace; it is redelivered until it reaches that engine. */
export class NamespaceMismatchError extends DurableSqsError {
  override readonly name = 'NamespaceMismatchError';
  readonly code = 'namespace_mismatch';
  readonly runId: string;

  constructor(runId: string) {
    super(`run ${runId} belongs to the namespace of another engine; its result will be redelivered`);
    this.runId = runId;
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
export class ResultRefusedError extends DurableSqsError {
  override readonly name = 'ResultRefusedError';
  readonly code = 'result_refused';
  readonly runId: string;
  readonly stepId: string;

  /** @param why the code of the store's error, in brackets; its message may quote the value */
  constructor({ runId, stepId }: { runId: string; stepId: string }, why: string) {
    super(
      `the engine's store refuses the result of step ${stepId}${why}, so the step fails with result_refused. Look for NUL characters and half surrogate ` +
        'pairs in its output.',
    );
    this.runId = runId;
    this.stepId = stepId;
  }
}

/** A step with `timeoutMs` was dispatched by an engine in a Lambda function, which cannot wait for it in memory. */
export class StepTimeoutUnsupportedError extends DurableSqsError {
  override readonly name = 'StepTimeoutUnsupportedError';
  readonly code = 'step_timeout_unsupported';
  readonly runId: string;
  readonly stepId: string;

  constructor({ runId, stepId, name }: { runId: string; stepId: string; name: string }) {
    super(
      `step ${stepId} ("${name}") has a timeoutMs. The engine awaits such a step in memory, and a Lambda function ends before its result comes. ` +
        'Use a durable time-out instead: start a child workflow that runs the step and signals its result, and await that with ' +
        'ctx.waitForSignal(token, { timeoutMs }).',
    );
    this.runId = runId;
    this.stepId = stepId;
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

/** The stored body of a large message could not be read or written. Names the object, never what is in it. */
export class PayloadStoreError extends DurableSqsError {
  override readonly name = 'PayloadStoreError';
  readonly code = 'payload_store';
  /**
   * `missing`: no such object. `denied`: these credentials lack the right. `unavailable`: no answer, or a transient
   * failure. `not_configured`: no `payloadStore`. `too_large`: the object is larger than a stored body may be.
   */
  readonly reason: 'missing' | 'denied' | 'unavailable' | 'not_configured' | 'too_large';
  /** True where the same request may succeed later. */
  readonly transient: boolean;

  constructor(reason: PayloadStoreError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
    this.transient = reason === 'unavailable';
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
