import type { AdminSqs } from '../aws/admin-sqs.ts';
import { messagesIn } from '../aws/queue-depth.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { counted } from '../output/text.ts';
import { idNotFound, queuesOf, type Selection, visitSelected } from './selection.ts';
import type { Visit } from './walk-queue.ts';

/** Deletes messages for good, after a question: the one of an id, or all messages of the queues. */
export async function purgeDeadLetters(context: CommandContext, sqs: AdminSqs, selection: Selection): Promise<void> {
  await (selection.messageId === undefined ? purgeQueues(context, sqs, selection) : purgeMessage(context, sqs, selection));
}

async function purgeQueues(context: CommandContext, sqs: AdminSqs, { steps, includeDeadLetters }: Selection): Promise<void> {
  const queues = steps.flatMap((step) => queuesOf(step, includeDeadLetters));
  const filled = queues.filter(({ depth }) => messagesIn(depth) > 0);
  const messages = filled.reduce((sum, { depth }) => sum + messagesIn(depth), 0);
  if (messages === 0) {
    report(context, 0, 'nothing to delete');
    return;
  }
  const what = `${counted(messages, 'message')} of ${filled.map(({ name }) => name).join(', ')}`;
  if (!(await agreed(context, what))) return;
  for (const { url } of filled) await sqs.purge(url);
  report(context, messages, `deleted ${what}`);
}

async function purgeMessage(context: CommandContext, sqs: AdminSqs, selection: Selection): Promise<void> {
  const what = `message ${selection.messageId}`;
  if (!(await agreed(context, what))) return;
  let deleted = 0;
  await visitSelected(context, sqs, selection, async ({ receiptHandle, queue }): Promise<Visit> => {
    await sqs.delete(queue.url, receiptHandle);
    deleted += 1;
    return 'consumed';
  });
  if (deleted > 0) {
    report(context, deleted, `deleted ${what}`);
    return;
  }
  context.writeError(`${idNotFound(selection)}\n`);
  context.setExitCode(1);
}

/** Whether the user agrees. A no exits 1. @throws CommandError where nobody can be asked */
async function agreed(context: CommandContext, what: string): Promise<boolean> {
  if (flagOption(context.options, 'yes')) return true;
  const answer = await context.confirm(`Delete ${what} for good?`);
  if (answer === undefined) throw new CommandError(`--purge: there is no terminal to ask on; --yes deletes ${what} without a question`);
  if (!answer) {
    context.writeError('nothing was deleted\n');
    context.setExitCode(1);
  }
  return answer;
}

function report(context: CommandContext, deleted: number, text: string): void {
  context.write(flagOption(context.options, 'json') ? `${JSON.stringify({ deleted })}\n` : `${text}\n`);
}
