import type { WorkflowCommand, WorkflowDecision } from '@dudousxd/nestjs-durable-core';
import { InvalidMessageError } from '../errors.ts';
import { encodeJson, kindOf } from './json.ts';
import {
  anything,
  array,
  checkedFields,
  type FieldRule,
  integer,
  isRecord,
  number,
  oneOf,
  optionalArray,
  optionalNumber,
  optionalObject,
  optionalText,
  parseShape,
  type Rules,
  string,
  text,
} from './shape.ts';

const RULES: Rules<WorkflowDecision> = {
  taskId: text,
  runId: text,
  status: oneOf('continue', 'completed', 'failed', 'cancelled'),
  commands: array,
  output: anything,
  error: optionalObject,
};

type CommandKind = WorkflowCommand['kind'];
type Command<Kind extends CommandKind> = Extract<WorkflowCommand, { kind: Kind }>;

const COMMON = { kind: text, seq: integer };

/** By its kind, what a command must have. What is in its input or output concerns only the workflow. */
const COMMAND_RULES: { readonly [Kind in CommandKind]: Rules<Command<Kind>> } = {
  call: { ...COMMON, name: text, group: string, input: anything, parallelGroup: optionalText },
  recordStep: {
    ...COMMON,
    name: text,
    output: anything,
    error: optionalObject,
    startedAt: optionalNumber,
    finishedAt: optionalNumber,
    events: optionalArray,
    parallelGroup: optionalText,
  },
  sleep: { ...COMMON, ms: number },
  waitSignal: { ...COMMON, signal: text },
  startChild: { ...COMMON, workflow: text, input: anything, parallelGroup: optionalText },
};
const RULES_BY_KIND: ReadonlyMap<unknown, Readonly<Record<string, FieldRule>>> = new Map(Object.entries(COMMAND_RULES));

/**
 * Reads a decision from a message body: worker → engine, what one turn of a workflow came to. The payload that
 * nestjs-durable documents for every transport. Keeps fields that it does not know.
 * @throws InvalidMessageError naming the field, what was expected and the kind that was found.
 */
export function decodeWorkflowDecision(body: string): WorkflowDecision {
  const decision = parseShape('WorkflowDecision', body, RULES);
  return { ...decision, commands: decision.commands.map(checkedCommand) };
}

/** The message body of a decision. */
export function encodeWorkflowDecision(decision: WorkflowDecision): string {
  return encodeJson(decision);
}

function checkedCommand<T extends object>(command: T, index: number): T {
  if (!isRecord(command)) {
    throw new InvalidMessageError('WorkflowDecision', `expected commands[${index}] to be an object, got ${kindOf(command)}`);
  }
  const rules = RULES_BY_KIND.get(command['kind']);
  if (rules === undefined) {
    const known = [...RULES_BY_KIND.keys()].map((kind) => `"${kind}"`).join(', ');
    throw new InvalidMessageError('WorkflowDecision', `expected commands[${index}].kind to be one of ${known}`);
  }
  return checkedFields<T & Record<string, unknown>>('WorkflowDecision', command, rules, `commands[${index}].`);
}
