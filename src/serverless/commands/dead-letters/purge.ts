import type { AdminSqs } from '../aws/admin-sqs.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { counted } from '../output/table.ts';
import { nothingFound, type Selection, visitDeadLetters } from './step-queues.ts';
import type { Visit } from './walk-queue.ts';

/** Deletes messages for good, after a question: one by its id, or all that the queues hold. */
export async function purgeDeadLetters(context: CommandContext, sqs: AdminSqs, selection: Selection): Promise<void> {
  const { places, messageId, includeDeadLetters } = selection;
  const queues = places.flatMap(({ parked, deadLetters }) => (includeDeadLetters ? [deadLetters, parked] : [parked]));
  const filled = queues.filter(({ depth }) => depth.visible + depth.inFlight + depth.delayed > 0);
  const held = filled.reduce((sum, { depth }) => sum + depth.visible + depth.inFlight + depth.delayed, 0);
  if (messageId === undefined && held === 0) {
    report(context, 0, 'nothing to delete');
    return;
  }
  const what =
    messageId === undefined ? `${counted(held, 'message')} of ${filled.map(({ name }) => name).join(', ')}` : `message ${messageId}`;
  if (!(await agreed(context, what))) {
    context.setExitCode(1);
    return;
  }
  if (messageId === undefined) {
    for (const { url } of filled) await sqs.purge(url);
    report(context, held, `deleted ${what}`);
    return;
  }
  let deleted = 0;
  await visitDeadLetters(context, sqs, selection, async ({ receiptHandle, queue }): Promise<Visit> => {
    await sqs.delete(queue.url, receiptHandle);
    deleted += 1;
    return 'consumed';
  });
  if (deleted > 0) report(context, deleted, `deleted ${what}`);
  else {
    context.writeError(`${nothingFound(selection) ?? 'nothing was deleted'}\n`);
    context.setExitCode(1);
  }
}

async function agreed(context: CommandContext, what: string): Promise<boolean> {
  if (flagOption(context.options, 'yes')) return true;
  const answer = await context.confirm(`Delete ${what} for good?`);
  if (answer === undefined) throw new CommandError(`--purge: there is no terminal to ask on; --yes deletes ${what} without a question`);
  if (!answer) context.writeError('nothing was deleted\n');
  return answer;
}

function report(context: CommandContext, deleted: number, text: string): void {
  context.write(flagOption(context.options, 'json') ? `${JSON.stringify({ deleted })}\n` : `${text}\n`);
}
