import type { LogFields, Logger } from '../logger.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import type { RetryOptions } from '../sqs/retry.ts';
import type { OutgoingMessage } from '../sqs/sqs-api.ts';
import { monotonicMs } from '../time.ts';
import type { AnyResult, TaskFormat, TaskIds } from './task-format.ts';

/** Where results go. */
export interface ResultsQueue {
  /**
   * Its URL, at once where it is known: a promise for each result costs 3 % of a record. Looked up anew where it turned
   * out to lead nowhere.
   */
  url(): string | Promise<string>;
  /**
   * Resolves once SQS has accepted the message.
   * @throws SqsRequestError, QueueNotFoundError
   */
  send(queueUrl: string, message: OutgoingMessage): Promise<void>;
}

/**
 * What holds messages in flight, and all that their tasks have in common: an invocation with its records, or a poller
 * that keeps messages hidden.
 */
export interface TaskHost<Task, Result extends AnyResult> {
  readonly format: TaskFormat<Task, Result>;
  /** Name of the message attribute that marks our messages and results. */
  readonly marker: string | undefined;
  readonly payloadStore: PayloadStore | undefined;
  readonly results: ResultsQueue;
  readonly logger: Logger;
  /** Added to every log line. */
  readonly fields: LogFields;
  /** Told each error that a log line tells, with the queue where it is about one. */
  onError?(error: unknown, queueUrl?: string): void;
  /** Why this worker is not to run a task that another version of it may run. */
  leaves?(task: Task): string | undefined;
  /**
   * Whether work on a message may begin now. Asked once it has been read; it has no `task` where it cannot run and is
   * only answered.
   */
  begins(inFlight: InFlightTask<Task, Result>): boolean;
  /** Never rejects: what goes wrong becomes a failed result. */
  run(task: Task, inFlight: InFlightTask<Task, Result>): Promise<Result>;
  /** Whether a task that was stopped while it ran is to run again, rather than be answered with this result. */
  redelivers(result: Result): boolean;
  /** How long, and after which errors, sending a result is tried again. */
  sendRetries(): RetryOptions;
}

/** A message of a tasks queue, whichever way its worker received it. */
export interface TaskMessage {
  readonly messageId: string;
  /** ARN or URL of the queue that it came by, whichever its host knows. */
  readonly queue: string;
  /** A string, unless a body-parsing middleware has replaced it. */
  readonly body: unknown;
  /** How often SQS has delivered it, from 1. Not the engine's attempt. */
  readonly receiveCount: number;
  /** Whether it carries the worker's marker attribute; true where the worker has no marker. */
  readonly marked: boolean;
}

/**
 * A message in flight: SQS has delivered it to this worker, and it is neither settled nor visible again. Its host holds
 * the message; `handleTask` notes here how far it has come.
 */
export class InFlightTask<Task, Result extends AnyResult> {
  readonly message: TaskMessage;
  readonly host: TaskHost<Task, Result>;
  /** Whether {@link stop} ends its run as failed; else the run is only told, by its signal. */
  readonly stoppable: boolean;
  /** Once the task has been read. */
  task: Task | undefined;
  /** Once it is known whose task it is: by the task itself, or by the key of a stored body that cannot be read. */
  ids: TaskIds | undefined;
  /** What the task was decoded from. */
  body = '';
  /**
   * Its result as a message, once there is one; a large body is in it, and not yet in the payload store. Set by a host
   * that has one from an earlier delivery: then the task does not run again.
   */
  answer: OutgoingMessage | undefined;
  /** How long its run took, and when it ended by `monotonicMs()`; undefined where it did not run, or has not ended. */
  ranMs: number | undefined;
  endedAt: number | undefined;
  /** Whether its result says that it failed; undefined where it has none of this run. */
  failed: boolean | undefined;
  /** When its run began, by `monotonicMs()`. */
  startedAt: number | undefined;
  /** What the task's own code threw. */
  thrown: Error | undefined;
  /** Why its result was not sent. */
  error: unknown;
  /** Why it was stopped, if it was stopped while it ran. */
  stopReason: Error | undefined;
  /** Ends its run as failed. Set by the runner, while a stoppable task runs. */
  seal: (() => void) | undefined;
  // One of its own, made at once: 2 % of a record. An accessor that makes it on first use costs as much (Node 24).
  readonly #controller = new AbortController();

  constructor(message: TaskMessage, host: TaskHost<Task, Result>, stoppable: boolean) {
    this.message = message;
    this.host = host;
    this.stoppable = stoppable;
  }

  /** Aborts when the task is stopped while it runs, and at no other time. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Its run begins. */
  begin(): void {
    this.startedAt = monotonicMs();
  }

  /** Its run has ended: no stop reaches it any more. */
  end(): void {
    this.endedAt = monotonicMs();
    this.ranMs = this.endedAt - (this.startedAt ?? this.endedAt);
    this.seal = undefined;
  }

  /**
   * Aborts the signal of a task that runs and, where it is stoppable, ends its run. Does nothing where it does not run.
   */
  stop(reason: Error): void {
    if (this.startedAt === undefined || this.endedAt !== undefined || this.stopReason !== undefined) return;
    this.stopReason = reason;
    // Before the seal: what a listener logs at once still rides on the result.
    this.#controller.abort(reason);
    this.seal?.();
  }

  /** Logs a line with all that finds the message and its task again. */
  log(level: keyof Logger, text: string, more?: LogFields): void {
    const { host, task, ids } = this;
    const { messageId, receiveCount } = this.message;
    const whose = task === undefined ? ids && { runId: ids.runId, stepId: ids.stepId } : host.format.fieldsOf(task);
    host.logger[level](text, { ...whose, receiveCount, messageId, ...host.fields, ...more });
  }
}
