import type { MessageKind, StepFailedError } from '../errors.ts';
import type { LogFields } from '../logger.ts';
import type { PayloadKind } from '../payloads/payload-store.ts';
import type { MessageAttributes } from '../wire/limits.ts';
import type { StepError } from '../wire/step-result.ts';

/** Whose task it is: what its result repeats, and what the key of a stored body tells. */
export interface TaskIds {
  readonly runId: string;
  /** Of a turn: its `taskId`. */
  readonly stepId: string;
  /** 0 of a turn. */
  readonly seq: number;
}

/** What the core reads of any result. */
export interface AnyResult {
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
 * One kind of task on the wire, and its results: steps (`step-tasks.ts`) and turns of workflows (`turn-tasks.ts`). What
 * the core knows of a task it knows from here; what running it means is up to the host.
 */
export interface TaskFormat<Task, Result extends AnyResult> {
  /** For log lines: what its messages are, and what is run for one. */
  readonly name: MessageKind;
  readonly noun: string;
  /** What stored bodies of its tasks and results are, by their keys. */
  readonly stored: { readonly task: PayloadKind; readonly result: PayloadKind };
  idsOf(task: Task): TaskIds;
  /** Of which code it is a task: the step's name, the workflow's. */
  nameOf(task: Task): string;
  /** Two tasks with one key are deliveries of the same. */
  keyOf(task: Task): string;
  /** @throws InvalidMessageError */
  decode(body: string): Task;
  /** What log lines say of a task. */
  fieldsOf(task: Task): LogFields;
  /** Never throws: what does not fit or cannot become JSON is given up, down to a failed result. */
  encode(result: Result, attributes: MessageAttributes | undefined, limitBytes: number): EncodedResult<Result>;
  /** The result in a body that {@link encode} has made: it is not checked again. */
  reread(body: string): Result;
  /** The result with what it has to say of its task. */
  resultOf(task: Task, result: Result): Result;
  /** The result of a task that cannot run, or whose own result cannot be stored. */
  failed(ids: TaskIds, error: StepFailedError): Result;
}
