import { attempt } from '../attempt.ts';
import { subjectOfKey } from '../payloads/payload-key.ts';
import { decodePointer } from '../payloads/pointer.ts';
import { decodeRemoteTask } from '../wire/remote-task.ts';
import { isOfTurn } from '../wire/turn-shape.ts';
import { decodeWorkflowTask } from '../wire/workflow-task.ts';

/** What a message of a tasks queue is about: a step, or a turn of a workflow, whose own id stands for a step's. */
export interface TaskSubject {
  readonly runId: string;
  readonly stepId: string;
  /** Undefined where the body is stored: the key of a stored body does not tell it. */
  readonly attempt: number | undefined;
}

/** Reads no store. Undefined for a body that is no task, and for a stored body whose key does not tell. */
export function taskSubject(body: string): TaskSubject | undefined {
  const pointer = decodePointer(body);
  if (pointer !== undefined) {
    const subject = subjectOfKey(pointer.key);
    return subject && { runId: subject.runId, stepId: subject.stepId, attempt: undefined };
  }
  return attempt(() => (isOfTurn(body) ? subjectOfTurn(body) : subjectOfStep(body)));
}

function subjectOfTurn(body: string): TaskSubject {
  const { runId, taskId, attempt: count } = decodeWorkflowTask(body);
  return { runId, stepId: taskId, attempt: count };
}

function subjectOfStep(body: string): TaskSubject {
  const { runId, stepId, attempt: count } = decodeRemoteTask(body);
  return { runId, stepId, attempt: count };
}
