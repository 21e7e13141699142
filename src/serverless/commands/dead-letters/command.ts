import { CONNECTION_OPTIONS, openSqs } from '../aws/connect.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { flagOption, integerOption, textOption } from '../options.ts';
import { STEP_OPTIONS, selectedSteps } from '../step-options.ts';
import { listDeadLetters } from './list.ts';
import { purgeDeadLetters } from './purge.ts';
import { findDeadLetterQueues, findStartDeadLetters } from './queues.ts';
import { retryDeadLetters } from './retry.ts';
import { saveDeadLetters } from './save.ts';
import type { Selection } from './selection.ts';

const LISTED = 100;
const ALL = 100_000;

/** `sls durable dead-letters`: lists, saves, retries or deletes the messages of dead-letter and parked queues. */
export const deadLettersCommand: Command = {
  usage: 'List, save, retry or delete the messages of the dead-letter and parked queues',
  options: {
    ...STEP_OPTIONS,
    id: { usage: 'Only the message of this id', type: 'string' },
    limit: { usage: `Most messages of each queue (default: ${LISTED} to list, all otherwise)`, type: 'string' },
    'include-dead-letters': {
      usage: 'Receive from the dead-letter queues too, not only from the parked ones; uses up one of the 10 receives of each message',
      type: 'boolean',
    },
    save: { usage: 'Write the messages to this file as an event (one file per function), and leave them in their queues', type: 'string' },
    retry: { usage: 'Send the messages back to their tasks queue', type: 'boolean' },
    force: { usage: 'With --retry: also messages whose failure the engine was told', type: 'boolean' },
    purge: { usage: 'Delete the messages for good', type: 'boolean' },
    yes: { usage: 'With --purge: do not ask', type: 'boolean' },
    ...CONNECTION_OPTIONS,
  },

  async run(context) {
    const { options } = context;
    const save = textOption(options, 'save');
    const retry = flagOption(options, 'retry');
    const purge = flagOption(options, 'purge');
    const actions = [save !== undefined, retry, purge].filter((given) => given).length;
    if (actions > 1) throw new CommandError('expected one of --save, --retry and --purge, got several');
    if (flagOption(options, 'force') && !retry) throw new CommandError('--force: it goes with --retry');
    if (flagOption(options, 'yes') && !purge) throw new CommandError('--yes: it goes with --purge');

    const steps = selectedSteps(context);
    const ofOneStep = textOption(options, 'step') !== undefined;
    const sqs = openSqs(context);
    try {
      const selection: Selection = {
        // Starts belong to no step.
        steps: [...(await findDeadLetterQueues(sqs, steps)), ...(ofOneStep ? [] : await findStartDeadLetters(sqs, context.service()))],
        messageId: textOption(options, 'id'),
        limit: integerOption(options, 'limit', 1, ALL) ?? (actions === 0 ? LISTED : ALL),
        includeDeadLetters: flagOption(options, 'include-dead-letters'),
      };
      if (save !== undefined) await saveDeadLetters(context, sqs, selection, save);
      else if (retry) await retryDeadLetters(context, sqs, selection);
      else if (purge) await purgeDeadLetters(context, sqs, selection);
      else await listDeadLetters(context, sqs, selection);
    } finally {
      sqs.destroy();
    }
  },
};
