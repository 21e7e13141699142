import { randomUUID } from 'node:crypto';
import type { AdminSqs } from '../aws/admin-sqs.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { plain } from '../output/table.ts';
import { deadLetter, retryMessage } from './dead-letter.ts';
import { nothingFound, type Selection, tellUnfinished, visitDeadLetters } from './step-queues.ts';

interface Retried {
  readonly messageId: string;
  readonly runId: string | null;
  readonly step: string;
  /** `doubled`: sent, but still here as well. */
  readonly outcome: 'sent' | 'refused' | 'failed' | 'doubled';
  readonly why: string | null;
}

/**
 * Sends messages back to their tasks queue, and deletes each once SQS has accepted it. Refuses those whose run was told of the failure:
 * the engine has gone on without them. Exits 1 where a message was not sent, or is still here.
 */
export async function retryDeadLetters(context: CommandContext, sqs: AdminSqs, selection: Selection): Promise<void> {
  const force = flagOption(context.options, 'force');
  const retried: Retried[] = [];
  const unfinished = await visitDeadLetters(context, sqs, selection, async ({ message, receiptHandle, place, queue }) => {
    const { messageId, runId, resultSent } = deadLetter(message, queue.kind);
    const note = (outcome: Retried['outcome'], why: string | null = null) =>
      retried.push({ messageId, runId, step: place.step.name, outcome, why });
    if (resultSent === true && !force) {
      note('refused', 'the engine was told that it failed, and has gone on; --force sends it all the same');
      return 'kept';
    }
    try {
      await sqs.send(retryMessage(message, place.tasksUrl, randomUUID()));
    } catch (error) {
      note('failed', error instanceof Error ? error.message : 'unknown');
      return 'kept';
    }
    try {
      await sqs.delete(queue.url, receiptHandle);
    } catch (error) {
      note(
        'doubled',
        `sent, but it could not be deleted here: ${error instanceof Error ? error.message : 'unknown'}. Delete it with --purge --id`,
      );
      return 'kept';
    }
    note('sent');
    return 'consumed';
  });

  if (flagOption(context.options, 'json')) context.write(`${JSON.stringify(retried, undefined, 2)}\n`);
  else {
    for (const { messageId, runId, step, outcome, why } of retried) {
      context.write(`${outcome.padEnd(7)}  ${messageId}  ${step}  ${plain(runId ?? '-')}${why === null ? '' : `  ${why}`}\n`);
    }
    const sent = retried.filter(({ outcome }) => outcome === 'sent' || outcome === 'doubled').length;
    context.writeError(`${sent} of ${retried.length} sent back\n`);
  }
  tellUnfinished(context, unfinished);
  const nothing = retried.length === 0 ? nothingFound(selection) : undefined;
  if (nothing !== undefined) context.writeError(`${nothing}\n`);
  if (nothing !== undefined || retried.some(({ outcome }) => outcome !== 'sent')) context.setExitCode(1);
}
