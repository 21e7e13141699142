import { openSqs, openStack } from '../commands/aws/connect.ts';
import { CommandError, messageOf } from '../commands/command-error.ts';
import type { CommandContext } from '../commands/context.ts';
import { flagOption } from '../commands/options.ts';
import { counted } from '../commands/output/text.ts';
import type { Template } from '../framework.ts';
import { queueNames } from './leaving-queues.ts';
import { type LeavingQueue, leavingTasks, WHY_QUEUES_LEAVE } from './waiting-tasks.ts';

/** The option of `deploy` that lets it delete queues with tasks in them. */
export const DROP_TASKS = 'durable-drop-tasks';

/**
 * Refuses a deployment that would delete waiting tasks with their queue: their runs would wait for ever. What cannot be
 * seen is a warning: whoever deploys may hold no right to look.
 * @throws CommandError that names the queues
 */
export async function keepWaitingTasks(context: CommandContext, next: Template): Promise<void> {
  if (flagOption(context.options, DROP_TASKS)) return;
  let filled: readonly LeavingQueue[];
  try {
    filled = await seeLeavingTasks(context, next);
  } catch (error) {
    context.writeError(`warning: whether this deployment deletes tasks that wait could not be seen: ${messageOf(error)}\n`);
    return;
  }
  if (filled.length === 0) return;
  throw new CommandError(
    `this deployment would delete ${counted(filled.length, 'tasks queue')} with tasks in ${filled.length === 1 ? 'it' : 'them'}, ` +
      `whose runs would wait for ever (${WHY_QUEUES_LEAVE}):\n` +
      `${filled.map(({ name, messages }) => `  - ${name}: ${counted(messages, 'message')}\n`).join('')}` +
      `Let these queues run empty first, or deploy with --${DROP_TASKS} to lose the tasks.`,
  );
}

async function seeLeavingTasks(context: CommandContext, next: Template): Promise<LeavingQueue[]> {
  const connection = openStack(context);
  if ('none' in connection) throw new CommandError(connection.none);
  const sqs = openSqs(context);
  try {
    return await leavingTasks(connection.stack, sqs, queueNames(next));
  } finally {
    sqs.destroy();
    connection.stack.destroy();
  }
}
