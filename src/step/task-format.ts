import type { StepFailedError } from '../errors.ts';
import type { LogFields } from '../logger.ts';
import type { MessageAttributes } from '../wire/limits.ts';
import type { StepError } from '../wire/step-result.ts';

/** Whose task it is: what its result repeats, and what the key of a stored body tells. */
export interface TaskIds {
  readonly runId: string;
  readonly stepId: string;
  readonly seq: number;
}

/** What the core reads of any result. */
export interface AnyResult extends TaskIds {
  readonly status: string;
  readonly error?: StepError | undefined;
}

/** A result as JSON, and what was given up for it. */
export interface EncodedResult<Result> {
  readonly result: Result;
  readonly body: string;
  readonly dropped: readonly string[];
}

/**
 * One kind of task on the wire, and its results. Steps are one (`step-tasks.ts`). What the core knows of a task it knows from here; what
 * running it means is up to the host.
 */
export interface TaskFormat<Task extends TaskIds, Result extends AnyResult> {
  /** For log lines: what its messages are, and what is run for one. */
  readonly name: string;
  readonly noun: string;
  /** @throws InvalidMessageError */
  decode(body: string): Task;
  /** What log lines say of a task. */
  fieldsOf(task: Task): LogFields;
  /** Never throws: what does not fit or cannot become JSON is given up, down to a failed result. */
  encode(result: Result, attributes: MessageAttributes | undefined, limitBytes: number): EncodedResult<Result>;
  /** The result in a body that {@link encode} has made: it is not checked again. */
  reread(body: string): Result;
  /** The result of a task that cannot run, or whose own result cannot be stored. */
  failed(ids: TaskIds, error: StepFailedError): Result;
}
