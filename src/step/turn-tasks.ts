import type { WorkflowCommand, WorkflowDecision, WorkflowTask } from '@dudousxd/nestjs-durable-core';
import { attempt } from '../attempt.ts';
import { encodeJson } from '../wire/json.ts';
import { fitsInBytes, type MessageAttributes, messageBytes } from '../wire/limits.ts';
import { decodeWorkflowDecision, encodeWorkflowDecision } from '../wire/workflow-decision.ts';
import { decodeWorkflowTask } from '../wire/workflow-task.ts';
import type { InFlightTask } from './in-flight-task.ts';
import { lostContents } from './lost-contents.ts';
import type { EncodedResult, TaskFormat, TaskIds } from './task-format.ts';

export type TurnInFlight = InFlightTask<WorkflowTask, WorkflowDecision>;

/** Turns of workflows as one kind of task, on the wire. */
export const TURN_FORMAT: TaskFormat<WorkflowTask, WorkflowDecision> = {
  name: 'WorkflowTask',
  noun: 'turn',
  stored: { task: 'turn', result: 'decision' },
  idsOf: turnIds,
  nameOf: ({ workflow }) => workflow,
  keyOf: ({ taskId }) => taskId,
  decode: decodeWorkflowTask,
  fieldsOf: ({ workflow, workflowVersion, runId, taskId }) => ({ workflow, workflowVersion, runId, taskId }),
  encode: encodeDecision,
  reread: decodeWorkflowDecision,
  resultOf: (_task, decision) => decision,
  failed: ({ runId, stepId: taskId }, { message, code, retryable }) => failedDecision({ runId, taskId }, { message, code, retryable }),
};

/** A turn has no step: its own id stands for one. */
export function turnIds({ runId, taskId }: Pick<WorkflowTask, 'runId' | 'taskId'>): TaskIds {
  return { runId, stepId: taskId, seq: 0 };
}

type TurnIds = Pick<WorkflowDecision, 'runId' | 'taskId'>;

/** Fails the run: a turn has no retries. */
export function failedDecision({ runId, taskId }: TurnIds, error: NonNullable<WorkflowDecision['error']>): WorkflowDecision {
  return { taskId, runId, status: 'failed', commands: [], error };
}

/**
 * Encodes a decision; always gives a body that SQS accepts and the engine can read.
 *
 * What cannot become JSON, would lose what it holds, or is too large fails the run: the next turn would come to the
 * same. Only the log lines of local steps are given up to make a decision fit.
 */
function encodeDecision(
  decision: WorkflowDecision,
  attributes: MessageAttributes | undefined,
  limitBytes: number,
): EncodedResult<WorkflowDecision> {
  const body = attempt(() => encodeJson(decision));
  if (body === undefined) {
    return failed(decision, 'unserializable_output', 'it holds a BigInt, a cycle, a toJSON that throws, or is nested too deep');
  }
  // What loses its contents is `{}` in JSON: where there is none, nothing has to be looked at.
  const lost = body.includes('{}') ? lostIn(decision) : undefined;
  if (lost !== undefined) return failed(decision, 'unserializable_output', `${lost}, whose JSON is {}`);
  if (fitsInBytes(body, attributes, limitBytes)) return { result: decision, body, dropped: [] };
  const quiet = { ...decision, commands: decision.commands.map(withoutEvents) };
  const quietBody = encodeWorkflowDecision(quiet);
  if (fitsInBytes(quietBody, attributes, limitBytes)) return { result: quiet, body: quietBody, dropped: ['events'] };
  const bytes = messageBytes(quietBody, attributes);
  const why = `it has ${bytes} bytes, ${limitBytes} are allowed; give the worker a payloadStore, or pass references to data instead of data`;
  return failed(decision, 'result_too_large', why);
}

function failed({ runId, taskId }: WorkflowDecision, code: 'unserializable_output' | 'result_too_large', why: string) {
  const result = failedDecision({ runId, taskId }, { message: `what the turn came to cannot be sent: ${why}`, code, retryable: false });
  return { result, body: encodeWorkflowDecision(result), dropped: ['decision'] };
}

function lostIn({ output, commands }: WorkflowDecision): string | undefined {
  const parts: readonly (readonly [path: string, value: unknown])[] = [
    ['output', output],
    ...commands.flatMap((command): (readonly [string, unknown])[] => {
      if (command.kind === 'recordStep') return [[`output of step ${command.seq}`, command.output]];
      if (command.kind === 'call' || command.kind === 'startChild') return [[`input at position ${command.seq}`, command.input]];
      return [];
    }),
  ];
  for (const [path, value] of parts) {
    const lost = lostContents(value, path);
    if (lost !== undefined) return lost;
  }
  return undefined;
}

function withoutEvents(command: WorkflowCommand): WorkflowCommand {
  if (command.kind !== 'recordStep') return command;
  const { events: _events, ...rest } = command;
  return rest;
}
