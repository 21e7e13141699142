import { randomUUID } from 'node:crypto';
import type { AdminSqs } from '../aws/admin-sqs.ts';
import { messageOf } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { oneLine } from '../output/text.ts';
import { deadLetter } from './dead-letter.ts';
import { requireTasksQueues } from './queues.ts';
import { idNotFound, reportUnfinished, type Selected, type Selection, visitSelected } from './selection.ts';
import { retryMessage } from './task-again.ts';

interface Retried {
  readonly messageId: string;
  readonly runId: string | null;
  readonly step: string;
  /** `doubled`: sent, but not deleted from the queue of dead letters. */
  readonly outcome: 'sent' | 'refused' | 'failed' | 'doubled';
  readonly why: string | null;
}

/**
 * Sends messages back to their tasks queue, and deletes each once SQS has accepted it. Refuses messages whose failure
 * the engine was told: their runs have gone on without them. Exits 1 where a message was not sent, or was sent and not
 * deleted.
 */
export async function retryDeadLetters(context: CommandContext, sqs: AdminSqs, selection: Selection): Promise<void> {
  requireTasksQueues(selection.steps);
  const force = flagOption(context.options, 'force');
  const retried: Retried[] = [];
  const unfinished = await visitSelected(context, sqs, selection, async (selected) => {
    const { messageId, runId, resultSent } = deadLetter(selected.message, selected.queue.kind);
    const { outcome, why = null } = resultSent === true && !force ? REFUSED : await retry(sqs, selected);
    retried.push({ messageId, runId, step: selected.queues.step.name, outcome, why });
    return outcome === 'sent' ? 'consumed' : 'kept';
  });

  if (flagOption(context.options, 'json')) context.write(`${JSON.stringify(retried, undefined, 2)}\n`);
  else {
    for (const { messageId, runId, step, outcome, why } of retried) {
      context.write(`${outcome.padEnd(7)}  ${messageId}  ${step}  ${oneLine(runId ?? '-')}${why === null ? '' : `  ${why}`}\n`);
    }
    const sent = retried.filter(({ outcome }) => outcome === 'sent' || outcome === 'doubled').length;
    context.writeError(`${sent} of ${retried.length} sent back\n`);
  }
  reportUnfinished(context, unfinished);
  const notFound = retried.length === 0 ? idNotFound(selection) : undefined;
  if (notFound !== undefined) context.writeError(`${notFound}\n`);
  if (notFound !== undefined || retried.some(({ outcome }) => outcome !== 'sent')) context.setExitCode(1);
}

interface Outcome {
  readonly outcome: Retried['outcome'];
  readonly why?: string;
}

const REFUSED: Outcome = { outcome: 'refused', why: 'the engine was told that it failed, and has gone on; --force sends it all the same' };

/** Send first, delete second: a crash in between leaves two copies, never none. */
async function retry(sqs: AdminSqs, { message, receiptHandle, queues, queue }: Selected): Promise<Outcome> {
  try {
    await sqs.send(retryMessage(message, queues.tasksUrl, randomUUID()));
  } catch (error) {
    return { outcome: 'failed', why: messageOf(error) };
  }
  try {
    await sqs.delete(queue.url, receiptHandle);
  } catch (error) {
    return { outcome: 'doubled', why: `sent, but not deleted here: ${messageOf(error)}. Delete it with --purge --id` };
  }
  return { outcome: 'sent' };
}
