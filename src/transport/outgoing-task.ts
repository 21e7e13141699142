import type { WorkflowTask } from '@dudousxd/nestjs-durable-core';
import type { PayloadKind } from '../payloads/payload-store.ts';
import { STEP_FORMAT } from '../step/step-tasks.ts';
import type { TaskIds } from '../step/task-format.ts';
import { TURN_FORMAT, turnIds } from '../step/turn-tasks.ts';
import { encodeRemoteTask, type RemoteTask } from '../wire/remote-task.ts';
import { encodeWorkflowTask } from '../wire/workflow-task.ts';

/** A task of an engine, as its dispatcher sends it. */
export interface OutgoingTask {
  readonly ids: TaskIds;
  /** Of the step, or of the workflow. */
  readonly name: string;
  /** Routing token: which tasks queue it goes to. */
  readonly group: string;
  /** What its stored body is, where it is too large for a message. */
  readonly kind: PayloadKind;
  /** The engine's counter. */
  readonly attempt: number;
  readonly traceparent: string | undefined;
  /** Throws what cannot become JSON. */
  encode(): string;
  /** For `messageGroupId`, which is asked for tasks of steps. */
  readonly step?: RemoteTask;
}

export function stepTask(task: RemoteTask): OutgoingTask {
  const { runId, stepId, seq, name, group, attempt, traceparent } = task;
  const kind = STEP_FORMAT.stored.task;
  return { ids: { runId, stepId, seq }, name, group, kind, attempt, traceparent, encode: () => encodeRemoteTask(task), step: task };
}

export function turnTask(task: WorkflowTask): OutgoingTask {
  const { workflow, group, attempt, traceparent } = task;
  const kind = TURN_FORMAT.stored.task;
  return { ids: turnIds(task), name: workflow, group, kind, attempt, traceparent, encode: () => encodeWorkflowTask(task) };
}
