import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ServiceStep, StartRuns } from '../../durable-service.ts';
import type { CommandOption } from '../command.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { integerOption, textOption } from '../options.ts';
import { STEP_OPTIONS, selectedSteps } from '../step-options.ts';
import { type QueueMessages, startMessages, taskMessages } from './queue-messages.ts';

const MAX_COUNT = 10_000;
const OF_STEPS = ['step-id', 'attempt'];
const OF_WORKFLOWS = ['workflow-version', 'history-file'];
const OF_TASKS = ['step', 'partition', ...OF_STEPS, ...OF_WORKFLOWS];

/** The options that say which messages to make. */
export const MESSAGE_OPTIONS = {
  ...STEP_OPTIONS,
  start: { usage: 'Name of a workflow: the message starts a run of it, as startRun does (instead of --step)', type: 'string' },
  input: { usage: 'Input of the step or the workflow, as JSON', type: 'string' },
  'input-file': { usage: 'File that holds the input, as JSON', type: 'string' },
  count: { usage: 'Messages to make, each of another run (default: 1)', type: 'string' },
  attempt: { usage: "The engine's attempt (default: 1)", type: 'string' },
  'run-id': { usage: 'Run of the task (default: a new one)', type: 'string' },
  'step-id': { usage: 'Step id of the task (default: <run id>:0)', type: 'string' },
  'workflow-version': { usage: 'Version of the workflow (default: 1)', type: 'string' },
  'history-file': { usage: 'File that holds what the run has done so far, as JSON (default: nothing, the first turn)', type: 'string' },
} as const satisfies Readonly<Record<string, CommandOption>>;

/**
 * The messages that the options ask for.
 * @param newRunId of a run that no option names
 * @throws CommandError for a mistake on the command line
 */
export function requestedMessages(context: CommandContext, newRunId: () => string): QueueMessages {
  const { options } = context;
  const run = {
    runId: textOption(options, 'run-id') ?? newRunId(),
    count: integerOption(options, 'count', 1, MAX_COUNT) ?? 1,
  };
  const workflow = textOption(options, 'start');
  if (workflow !== undefined) {
    refuse(options, OF_TASKS, (option) => `expected --start or --${option}, got both`);
    const { startRuns, engine } = context.service();
    return startMessages(startQueue(startRuns), workflow, { ...run, input: givenInput(context) }, engine?.function.functionKey);
  }
  const step = selectedStep(context);
  refuse(
    options,
    step.kind === 'step' ? OF_WORKFLOWS : OF_STEPS,
    (option) => `--${option}: "${step.name}" is a ${step.kind}, and a ${step.kind} has none`,
  );
  const input = givenInput(context);
  if (input === undefined) throw new CommandError(`expected --input '{"…"}' or --input-file, the input as JSON`);
  return taskMessages(step, {
    ...run,
    input,
    stepId: textOption(options, 'step-id'),
    attempt: integerOption(options, 'attempt', 1, Number.MAX_SAFE_INTEGER) ?? 1,
    workflowVersion: textOption(options, 'workflow-version'),
    history: jsonFile(context, 'history-file'),
  });
}

function startQueue(startRuns: StartRuns | undefined): StartRuns {
  if (startRuns !== undefined) return startRuns;
  throw new CommandError('--start: this service has no queue for starts of runs; add "startRuns: true" to custom.durable');
}

/** The one step or workflow that `--step` and `--partition` name. */
function selectedStep(context: CommandContext): ServiceStep {
  const name = textOption(context.options, 'step');
  if (name === undefined) throw new CommandError('expected --step, the name of a step or a workflow, or --start, that of a workflow');
  const steps = selectedSteps(context);
  // Without --partition the step that has none is meant: no option could name it.
  const plain = steps.find(({ partition }) => partition === undefined);
  const [first, ...others] = plain === undefined ? steps : [plain];
  if (first === undefined || others.length > 0) {
    const partitions = steps.map(({ partition }) => partition).join(', ');
    throw new CommandError(`--step: "${name}" has several partitions; choose one with --partition: ${partitions}`);
  }
  return first;
}

function refuse(options: CommandContext['options'], names: readonly string[], why: (option: string) => string): void {
  const given = names.find((option) => textOption(options, option) !== undefined);
  if (given !== undefined) throw new CommandError(why(given));
}

/** Undefined where there is neither option. */
function givenInput(context: CommandContext): unknown {
  const text = textOption(context.options, 'input');
  const file = jsonFile(context, 'input-file');
  if (text !== undefined && file !== undefined) throw new CommandError('expected --input or --input-file, got both');
  return text === undefined ? file : parsed('--input', text);
}

/** The JSON in the file that an option names; undefined where the option was not given. */
function jsonFile({ options, serviceDir }: CommandContext, name: string): unknown {
  const given = textOption(options, name);
  if (given === undefined) return undefined;
  const file = resolve(serviceDir, given);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`--${name}: cannot read ${file}`, { cause: error });
  }
  return parsed(`--${name}`, text);
}

function parsed(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the input.
    throw new CommandError(`${option}: expected JSON, got ${Buffer.byteLength(text)} bytes that do not parse`);
  }
}
