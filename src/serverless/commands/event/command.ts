import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import type { SQSEvent } from 'aws-lambda';
import type { DurableStep } from '../../durable-service.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { flagOption, integerOption, textOption } from '../options.ts';
import { writeJsonFile } from '../output/json-file.ts';
import { counted } from '../output/text.ts';
import { STEP_OPTIONS, selectedSteps } from '../step-options.ts';
import { type TaskEventOptions, taskEvent } from './task-event.ts';

/** `sls durable event`: an event for `sls invoke local`, as Lambda would make it of the engine's tasks, or of the turns of a workflow. */
export const eventCommand: Command = {
  usage: 'Make an event for "serverless invoke local"',
  options: {
    ...STEP_OPTIONS,
    input: { usage: 'Input of the step or the workflow, as JSON', type: 'string' },
    'input-file': { usage: 'File that holds the input, as JSON', type: 'string' },
    out: { usage: 'File to write, e.g. events/charge-card.json (default: stdout)', type: 'string' },
    count: { usage: 'Tasks in the event (default: 1)', type: 'string' },
    attempt: { usage: "The engine's attempt (default: 1)", type: 'string' },
    'run-id': { usage: 'Run of the task (default: a new one)', type: 'string' },
    'step-id': { usage: 'Step id of the task (default: <run id>:0)', type: 'string' },
    'workflow-version': { usage: 'Version of the workflow (default: 1)', type: 'string' },
    'history-file': { usage: 'File that holds what the run has done so far, as JSON (default: nothing, the first turn)', type: 'string' },
  },

  async run(context) {
    const { options } = context;
    const step = selectedStep(context);
    const event = taskEvent(step, {
      input: inputOf(context),
      runId: textOption(options, 'run-id') ?? `local-${randomUUID()}`,
      stepId: textOption(options, 'step-id'),
      attempt: integerOption(options, 'attempt', 1, Number.MAX_SAFE_INTEGER) ?? 1,
      ...turnOptions(step, context),
      count: integerOption(options, 'count', 1, 10_000) ?? 1,
      region: context.region,
      now: context.now(),
    });
    const out = textOption(options, 'out');
    if (out === undefined) context.write(`${JSON.stringify(event, undefined, 2)}\n`);
    else writeEvent(context, step, event, out);
  },
};

function writeEvent({ options, serviceDir, write, writeError }: CommandContext, step: DurableStep, event: SQSEvent, out: string): void {
  const path = resolve(serviceDir, out);
  writeJsonFile('--out', path, event);
  const file = relative(serviceDir, path);
  const { functionKey } = step.function;
  if (flagOption(options, 'json')) {
    write(`${JSON.stringify({ file, function: functionKey, records: event.Records.length })}\n`);
    return;
  }
  write(`${file}: ${counted(event.Records.length, 'record')}\n`);
  writeError(`try it: serverless invoke local -f ${functionKey} -p ${file}\n`);
}

/** The one step that a function serves and `--step` names. */
function selectedStep(context: CommandContext): DurableStep {
  const name = textOption(context.options, 'step');
  if (name === undefined) throw new CommandError('expected --step, the name of a step or of a workflow');
  const selected = new Set(selectedSteps(context));
  const steps = context.service().steps.filter((served) => selected.has(served));
  // Without --partition the step that has none is meant: no option could name it.
  const step = steps.find(({ partition }) => partition === undefined) ?? steps[0];
  if (step === undefined) {
    throw new CommandError(
      `--step: no function serves "${name}", a worker in a container does (containerSteps): there is nothing to invoke`,
    );
  }
  if (step.partition !== undefined && steps.length > 1) {
    const partitions = steps.map(({ partition }) => partition).join(', ');
    throw new CommandError(`--step: "${name}" has several partitions; choose one with --partition: ${partitions}`);
  }
  return step;
}

/** @throws CommandError for an option of workflows beside a step, or of steps beside a workflow */
function turnOptions(
  { kind, name }: DurableStep,
  { options, serviceDir }: CommandContext,
): Pick<TaskEventOptions, 'workflowVersion' | 'history'> {
  const foreign = kind === 'step' ? ['workflow-version', 'history-file'] : ['step-id', 'attempt'];
  const given = foreign.find((option) => textOption(options, option) !== undefined);
  if (given !== undefined) throw new CommandError(`--${given}: "${name}" is a ${kind}, and a ${kind} has none`);
  const file = textOption(options, 'history-file');
  return {
    workflowVersion: textOption(options, 'workflow-version'),
    history: file === undefined ? undefined : parsed('--history-file', readInput('--history-file', resolve(serviceDir, file))),
  };
}

function inputOf({ options, serviceDir }: CommandContext): unknown {
  const text = textOption(options, 'input');
  const file = textOption(options, 'input-file');
  if (text !== undefined && file !== undefined) throw new CommandError('expected --input or --input-file, got both');
  if (file !== undefined) return parsed('--input-file', readInput('--input-file', resolve(serviceDir, file)));
  if (text === undefined) throw new CommandError(`expected --input '{"…"}' or --input-file, the input as JSON`);
  return parsed('--input', text);
}

function readInput(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`${option}: cannot read ${file}`, { cause: error });
  }
}

function parsed(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the input.
    throw new CommandError(`${option}: expected JSON, got ${Buffer.byteLength(text)} bytes that do not parse`);
  }
}
