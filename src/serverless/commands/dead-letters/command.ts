import { openSqs } from '../aws/connect.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { flagOption, integerOption, textOption } from '../options.ts';
import { stepsNamed } from '../steps.ts';
import { listDeadLetters } from './list.ts';
import { purgeDeadLetters } from './purge.ts';
import { retryDeadLetters } from './retry.ts';
import { saveDeadLetters } from './save.ts';
import { deadLetterPlaces, type Selection } from './step-queues.ts';

/** `sls durable dead-letters`: lists, saves, retries or deletes what lies in the dead-letter and parked queues. */
export async function deadLettersCommand(context: CommandContext): Promise<void> {
  const { options } = context;
  const save = textOption(options, 'save');
  const retry = flagOption(options, 'retry');
  const purge = flagOption(options, 'purge');
  const asked = [save !== undefined, retry, purge].filter((given) => given).length;
  if (asked > 1) throw new CommandError('expected one of --save, --retry and --purge, got several');
  if (flagOption(options, 'force') && !retry) throw new CommandError('--force: it goes with --retry');
  if (flagOption(options, 'yes') && !purge) throw new CommandError('--yes: it goes with --purge');

  const service = context.service();
  const steps = stepsNamed(service, textOption(options, 'step'), textOption(options, 'partition'));
  const messageId = textOption(options, 'id');
  const sqs = openSqs(context);
  try {
    const places = await deadLetterPlaces(sqs, steps);
    const selection: Selection = {
      places,
      messageId,
      limit: integerOption(options, 'limit', 1, 100_000) ?? (asked === 0 ? 100 : 100_000),
      includeDeadLetters: flagOption(options, 'include-dead-letters'),
    };
    if (save !== undefined) await saveDeadLetters(context, sqs, selection, save);
    else if (retry) await retryDeadLetters(context, sqs, selection);
    else if (purge) await purgeDeadLetters(context, sqs, selection);
    else await listDeadLetters(context, sqs, selection);
  } finally {
    sqs.destroy();
  }
}
