import type { AdminSqs } from '../aws/admin-sqs.ts';
import { messagesIn } from '../aws/queue-depth.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { table } from '../output/table.ts';
import { age, counted } from '../output/text.ts';
import { type DeadLetter, deadLetter } from './dead-letter.ts';
import type { DeadLetterQueues } from './queues.ts';
import { howToSeeMore, idNotFound, type Selection, visitSelected } from './selection.ts';

const INDENT = '  ';

interface Listed extends DeadLetter {
  readonly queue: string;
}

/** Shows the messages of each step, and leaves them in their queues. */
export async function listDeadLetters(context: CommandContext, sqs: AdminSqs, selection: Selection): Promise<void> {
  const byStep = new Map<DeadLetterQueues, Listed[]>(selection.steps.map((step) => [step, []]));
  const unfinished = await visitSelected(context, sqs, selection, ({ message, queues, queue }) => {
    byStep.get(queues)?.push({ ...deadLetter(message, queue.kind), queue: queue.name });
    return 'kept';
  });

  if (flagOption(context.options, 'json')) {
    const steps = [...byStep].map(([{ step, deadLetters, parked }, messages]) => ({
      step: step.name,
      partition: step.partition ?? null,
      deadLetters: deadLetters === undefined ? null : { name: deadLetters.name, ...deadLetters.depth },
      parked: { name: parked.name, ...parked.depth },
      messages,
    }));
    context.write(`${JSON.stringify({ steps, unfinished }, undefined, 2)}\n`);
  } else {
    context.write([...byStep].map(([step, messages]) => section(step, messages, selection, context)).join('\n'));
    for (const name of unfinished) {
      context.writeError(`${name} holds more messages than are shown: ${howToSeeMore(name, '--limit N shows more')}.\n`);
    }
  }
  const notFound = [...byStep.values()].flat().length === 0 ? idNotFound(selection) : undefined;
  if (notFound !== undefined) {
    context.writeError(`${notFound}\n`);
    context.setExitCode(1);
  }
}

function section(queues: DeadLetterQueues, messages: readonly Listed[], selection: Selection, { now, columns }: CommandContext): string {
  const { step, deadLetters, parked } = queues;
  const partition = step.partition === undefined ? '' : ` @ ${step.partition}`;
  const waiting = deadLetters === undefined ? 0 : messagesIn(deadLetters.depth);
  const held = messagesIn(parked.depth);
  const hint =
    waiting > 0 && !selection.includeDeadLetters ? ' (--include-dead-letters shows them; each receive uses up one of their 10)' : '';
  const handled = deadLetters === undefined ? '' : `${waiting} waiting for the dead-letter handler${hint}, `;
  const head = `${step.name}${partition}: ${handled}${held} parked\n`;
  if (messages.length === 0) return head;
  const rows = messages.map(({ messageId, runId, stepId, attempt, receiveCount, firstSeen, reason, resultSent }) => [
    messageId,
    runId ?? '-',
    stepId ?? '-',
    attempt ?? '-',
    receiveCount,
    age(now() - Date.parse(firstSeen)),
    resultSent === null ? '?' : resultSent ? 'yes' : 'no',
    reason,
  ]);
  const body = table(
    ['message id', 'run', 'step', 'attempt', 'receives', 'age', 'engine told', 'reason'],
    rows,
    columns === undefined ? undefined : columns - INDENT.length,
  );
  const more = held - messages.length;
  return `${head}${body.replace(/^(?=.)/gm, INDENT)}${more > 0 ? `${INDENT}${counted(more, 'message')} more, in flight or not received\n` : ''}`;
}
