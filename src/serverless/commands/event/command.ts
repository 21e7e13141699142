import { randomUUID } from 'node:crypto';
import { relative, resolve } from 'node:path';
import type { SQSEvent } from 'aws-lambda';
import { scheduledEvent } from '../../../local/scheduled-event.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { MESSAGE_OPTIONS, requestedMessages } from '../messages/options.ts';
import { flagOption, textOption } from '../options.ts';
import { writeJsonFile } from '../output/json-file.ts';
import { counted } from '../output/text.ts';
import { sqsEvent } from './sqs-event.ts';

/** Stands where the name of a rule does. */
const MADE_HERE = 'made-by-serverless-durable-event';

/**
 * `sls durable event`: an event for `sls invoke local`, as Lambda would make it of the engine's tasks, of the turns of
 * a workflow, of starts of runs, or as EventBridge makes it for an engine that is a function.
 */
export const eventCommand: Command = {
  usage: 'Make an event for "serverless invoke local"',
  options: {
    ...MESSAGE_OPTIONS,
    tick: { usage: 'The event of the schedule of an engine that is a function (instead of --step)', type: 'boolean' },
    out: { usage: 'File to write, e.g. events/charge-card.json (default: stdout)', type: 'string' },
  },

  async run(context) {
    const { options } = context;
    if (flagOption(options, 'tick')) {
      writeEvent(context, engineFunction(context), scheduledEvent({ region: context.region, rule: MADE_HERE }), 'a tick');
      return;
    }
    const messages = requestedMessages(context, () => `local-${randomUUID()}`);
    const { functionKey } = messages;
    if (functionKey === undefined && textOption(options, 'step') !== undefined) {
      throw new CommandError(
        `--step: no function serves "${textOption(options, 'step')}", a worker in a container does (containerSteps): there is nothing to ` +
          'invoke; "sls durable send" puts a task on its queue',
      );
    }
    const event = sqsEvent(messages, context.region, context.now());
    writeEvent(context, functionKey, event, counted(event.Records.length, 'record'));
  },
};

/** @throws CommandError where the engine is a process, or anything else is asked for too */
function engineFunction({ options, service }: CommandContext): string {
  const other = ['step', 'start'].find((option) => textOption(options, option) !== undefined);
  if (other !== undefined) throw new CommandError(`expected --tick or --${other}, got both`);
  const { engine } = service();
  if (engine === undefined) throw new CommandError('--tick: no function of this service is the engine (durableEngine)');
  return engine.function.functionKey;
}

/**
 * @param functionKey undefined for a start whose engine is no function of this service
 * @param what what the event holds, in a word or two
 */
function writeEvent(
  { options, serviceDir, write, writeError }: CommandContext,
  functionKey: string | undefined,
  event: SQSEvent | ReturnType<typeof scheduledEvent>,
  what: string,
) {
  const out = textOption(options, 'out');
  if (out === undefined) {
    write(`${JSON.stringify(event, undefined, 2)}\n`);
    return;
  }
  const path = resolve(serviceDir, out);
  writeJsonFile('--out', path, event);
  const file = relative(serviceDir, path);
  if (flagOption(options, 'json')) {
    const records = 'Records' in event ? event.Records.length : 0;
    write(`${JSON.stringify({ file, function: functionKey ?? null, records })}\n`);
    return;
  }
  write(`${file}: ${what}\n`);
  writeError(
    functionKey === undefined
      ? 'no function of this service receives starts: its engine is a process of your own\n'
      : `try it: serverless invoke local -f ${functionKey} -p ${file}\n`,
  );
}
