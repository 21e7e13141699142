import { DurableSqsError, StepError, type StepIds } from './base.ts';

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

/** A task is larger than one SQS message may be. The step cannot be dispatched as it is. */
export class TaskTooLargeError extends StepError {
  override readonly name = 'TaskTooLargeError';
  readonly code = 'task_too_large';
  /** Bytes of body and attributes. */
  readonly bytes: number;

  constructor(task: StepIds & { name: string }, bytes: number, limit: number) {
    super(
      task,
      `task of step ${task.stepId} ("${task.name}") is ${bytes} bytes, SQS accepts ${limit}. Give the transport a payloadStore, or pass a reference to ` +
        'the data instead of the data.',
    );
    this.bytes = bytes;
  }
}

/**
 * `dispatch` failed for transient reasons until its time was up. A send without an answer is ambiguous: SQS may have
 * the task.
 */
export class DispatchTimeoutError extends StepError {
  override readonly name = 'DispatchTimeoutError';
  readonly code = 'dispatch_timeout';

  constructor(task: StepIds, timeoutMs: number, options?: ErrorOptions) {
    super(task, `task of step ${task.stepId} was not accepted by SQS within ${timeoutMs} ms; SQS may have it all the same`, options);
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
