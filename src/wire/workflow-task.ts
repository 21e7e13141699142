import type { HistoryEvent, WorkflowTask } from '@dudousxd/nestjs-durable-core';
import { InvalidMessageError } from '../errors.ts';
import { encodeJson, kindOf } from './json.ts';
import {
  anything,
  array,
  checkedFields,
  integer,
  isRecord,
  oneOf,
  optionalArray,
  optionalNumber,
  optionalObject,
  optionalText,
  parseShape,
  positiveInteger,
  type Rules,
  text,
} from './shape.ts';

const RULES: Rules<WorkflowTask> = {
  taskId: text,
  runId: text,
  workflow: text,
  workflowVersion: text,
  input: anything,
  history: array,
  pendingSignals: optionalArray,
  group: text,
  transport: optionalText,
  traceparent: optionalText,
  priority: optionalNumber,
  attempt: positiveInteger,
};

const EVENT_RULES: Rules<HistoryEvent> = {
  seq: integer,
  kind: oneOf('step', 'call', 'timer', 'signal', 'child'),
  name: optionalText,
  output: anything,
  error: optionalObject,
};

/**
 * Reads a turn from a message body: engine → worker, one pass of a workflow's code over what its run has done so far.
 * The payload that nestjs-durable documents for every transport. Keeps fields that it does not know.
 * @throws InvalidMessageError naming the field, what was expected and the kind that was found.
 */
export function decodeWorkflowTask(body: string): WorkflowTask {
  const task = parseShape('WorkflowTask', body, RULES);
  return { ...task, history: task.history.map(checkedEvent) };
}

/** The message body of a turn. */
export function encodeWorkflowTask(task: WorkflowTask): string {
  return encodeJson(task);
}

function checkedEvent(event: unknown, index: number): HistoryEvent {
  if (isRecord(event)) return checkedFields<HistoryEvent>('WorkflowTask', event, EVENT_RULES, `history[${index}].`);
  throw new InvalidMessageError('WorkflowTask', `expected history[${index}] to be an object, got ${kindOf(event)}`);
}
