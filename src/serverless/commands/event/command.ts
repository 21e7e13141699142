import { randomUUID } from 'node:crypto';
import { relative, resolve } from 'node:path';
import type { SQSEvent } from 'aws-lambda';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { MESSAGE_OPTIONS, requestedMessages } from '../messages/options.ts';
import { flagOption, textOption } from '../options.ts';
import { writeJsonFile } from '../output/json-file.ts';
import { counted } from '../output/text.ts';
import { sqsEvent } from './sqs-event.ts';

/**
 * `sls durable event`: an event for `sls invoke local`, as Lambda would make it of the engine's tasks, of the turns of a
 * workflow, or of starts of runs.
 */
export const eventCommand: Command = {
  usage: 'Make an event for "serverless invoke local"',
  options: {
    ...MESSAGE_OPTIONS,
    out: { usage: 'File to write, e.g. events/charge-card.json (default: stdout)', type: 'string' },
  },

  async run(context) {
    const { options } = context;
    const messages = requestedMessages(context, () => `local-${randomUUID()}`);
    const { functionKey } = messages;
    if (functionKey === undefined && textOption(options, 'step') !== undefined) {
      throw new CommandError(
        `--step: no function serves "${textOption(options, 'step')}", a worker in a container does (containerSteps): there is nothing to ` +
          'invoke; "sls durable send" puts a task on its queue',
      );
    }
    const event = sqsEvent(messages, context.region, context.now());
    const out = textOption(options, 'out');
    if (out === undefined) context.write(`${JSON.stringify(event, undefined, 2)}\n`);
    else writeEvent(context, functionKey, event, out);
  },
};

/** @param functionKey undefined for a start whose engine is no function of this service */
function writeEvent(
  { options, serviceDir, write, writeError }: CommandContext,
  functionKey: string | undefined,
  event: SQSEvent,
  out: string,
) {
  const path = resolve(serviceDir, out);
  writeJsonFile('--out', path, event);
  const file = relative(serviceDir, path);
  if (flagOption(options, 'json')) {
    write(`${JSON.stringify({ file, function: functionKey ?? null, records: event.Records.length })}\n`);
    return;
  }
  write(`${file}: ${counted(event.Records.length, 'record')}\n`);
  writeError(
    functionKey === undefined
      ? 'no function of this service receives starts: its engine is a process of your own\n'
      : `try it: serverless invoke local -f ${functionKey} -p ${file}\n`,
  );
}
