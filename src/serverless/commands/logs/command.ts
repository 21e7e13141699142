import { setTimeout as sleep } from 'node:timers/promises';
import { fieldTexts } from '../../../logger.ts';
import { openLogs } from '../aws/connect.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { flagOption, textOption } from '../options.ts';
import { STEP_OPTIONS, selectedSteps } from '../step-options.ts';
import type { LogLine } from './log-line.ts';
import { type LogPage, logReader } from './read-logs.ts';
import { startTime } from './start-time.ts';

const TAIL_MS = 1_000;
const DEFAULT_START = '10m';

/**
 * `sls durable logs`: what the durable functions wrote to CloudWatch Logs, about everything or about one run or step.
 */
export const logsCommand: Command = {
  usage: 'Show what the functions of the service wrote to CloudWatch Logs about a run, a step or everything',
  options: {
    ...STEP_OPTIONS,
    function: { usage: 'Only this function (default: all of steps, of dead letters and of the engine)', type: 'string', shortcut: 'f' },
    'run-id': { usage: 'Only lines about this run', type: 'string' },
    'step-id': { usage: 'Only lines about this step of a run', type: 'string' },
    tail: { usage: 'Follow the log until Ctrl-C', type: 'boolean', shortcut: 't' },
    startTime: { usage: `How long ago (30m, 2h, 3d), or a date and time (default: ${DEFAULT_START})`, type: 'string' },
  },

  async run(context) {
    const { options } = context;
    const runId = textOption(options, 'run-id');
    const stepId = textOption(options, 'step-id');
    const groups = selectedGroups(context);
    const logs = openLogs(context);
    try {
      const read = logReader(logs, {
        groups,
        fields: { ...(runId === undefined ? {} : { runId }), ...(stepId === undefined ? {} : { stepId }) },
        from: startTime(textOption(options, 'startTime') ?? DEFAULT_START, context.now()),
      });
      const page = await read();
      reportMissing(context, page, groups.size);
      show(context, page.lines);
      // Ctrl-C ends the process.
      while (flagOption(options, 'tail')) {
        await sleep(TAIL_MS);
        show(context, (await read()).lines);
      }
      if (page.lines.length === 0) context.writeError('no lines; --startTime looks further back.\n');
    } finally {
      logs.destroy();
    }
  },
};

/** The log groups that the options choose. */
function selectedGroups(context: CommandContext): ReadonlyMap<string, string> {
  const all = context.logGroups();
  const wanted = textOption(context.options, 'function');
  if (wanted === undefined) {
    const served = selectedSteps(context).map((step) => step.function?.functionKey);
    const { deadLetters, engine } = context.service();
    const ofAllSteps = [deadLetters?.functionKey, engine?.function.functionKey];
    const keys = new Set([...served, ...(textOption(context.options, 'step') === undefined ? ofAllSteps : [])]);
    const groups = [...all].filter(([key]) => keys.has(key));
    if (groups.length > 0) return new Map(groups);
    throw new CommandError('no function serves it, so nothing is on CloudWatch Logs: a worker in a container logs where it runs');
  }
  if (textOption(context.options, 'step') !== undefined) throw new CommandError('expected --step or --function, got both');
  const group = all.get(wanted);
  if (group === undefined) {
    throw new CommandError(`--function: no function "${wanted}" in this service; it has ${[...all.keys()].join(', ') || 'none'}`);
  }
  return new Map([[wanted, group]]);
}

function reportMissing({ writeError }: CommandContext, { missing }: LogPage, groups: number): void {
  if (missing.length === groups) {
    const remedy = 'deploy the service first (or is it another --stage or --region?)';
    throw new CommandError(`no log group ${missing.join(', ')}: ${remedy}`);
  }
  for (const group of missing) writeError(`no log group ${group}: its function was never invoked, or is not deployed.\n`);
}

function show(context: CommandContext, lines: readonly LogLine[]): void {
  const format = flagOption(context.options, 'json') ? jsonText : plainText;
  if (lines.length > 0) context.write(lines.map((line) => `${format(line)}\n`).join(''));
}

function jsonText({ functionKey, time, level, message, fields }: LogLine): string {
  return JSON.stringify({ ...fields, time, function: functionKey, level, message });
}

function plainText({ functionKey, time, level, message, fields }: LogLine): string {
  const texts = Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  );
  return [time, functionKey, level ?? '-', message, ...fieldTexts(texts)].join('  ');
}
