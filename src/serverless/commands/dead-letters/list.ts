import type { AdminSqs } from '../aws/admin-sqs.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { age, counted, plain, table } from '../output/table.ts';
import { type DeadLetter, deadLetter } from './dead-letter.ts';
import { howToSeeMore, nothingFound, type Place, type Selection, visitDeadLetters } from './step-queues.ts';

interface Listed extends DeadLetter {
  readonly queue: string;
}

/** Shows what lies in the queues, per step, and leaves it there. */
export async function listDeadLetters(context: CommandContext, sqs: AdminSqs, selection: Selection): Promise<void> {
  const byPlace = new Map<Place, Listed[]>(selection.places.map((place) => [place, []]));
  const unfinished = await visitDeadLetters(context, sqs, selection, ({ message, place, queue }) => {
    byPlace.get(place)?.push({ ...deadLetter(message, queue.kind), queue: queue.name });
    return 'kept';
  });
  const found = [...byPlace.values()].flat();

  if (flagOption(context.options, 'json')) {
    const steps = [...byPlace].map(([{ step, deadLetters, parked }, messages]) => ({
      step: step.name,
      partition: step.partition ?? null,
      deadLetters: { name: deadLetters.name, ...deadLetters.depth },
      parked: { name: parked.name, ...parked.depth },
      messages,
    }));
    context.write(`${JSON.stringify({ steps, unfinished }, undefined, 2)}\n`);
  } else {
    context.write([...byPlace].map(([place, messages]) => section(place, messages, selection, context.now())).join('\n'));
    for (const name of unfinished) context.writeError(`${name} holds more than is shown: ${howToSeeMore(name, '--limit N shows more')}.\n`);
  }
  const nothing = found.length === 0 ? nothingFound(selection) : undefined;
  if (nothing !== undefined) {
    context.writeError(`${nothing}\n`);
    context.setExitCode(1);
  }
}

function section({ step, deadLetters, parked }: Place, messages: readonly Listed[], selection: Selection, now: number): string {
  const partition = step.partition === undefined ? '' : ` @ ${step.partition}`;
  const waiting = deadLetters.depth.visible + deadLetters.depth.inFlight + deadLetters.depth.delayed;
  const kept = parked.depth.visible + parked.depth.inFlight + parked.depth.delayed;
  const hint =
    waiting > 0 && !selection.includeDeadLetters ? ' (--include-dead-letters shows them; each look uses up one of their 10 receives)' : '';
  const head = `${step.name}${partition}: ${waiting} waiting for the dead-letter handler${hint}, ${kept} parked\n`;
  if (messages.length === 0) return head;
  const rows = messages.map(({ messageId, runId, stepId, attempt, receiveCount, firstSeen, reason, resultSent }) => [
    messageId,
    plain(runId ?? '-'),
    plain(stepId ?? '-'),
    attempt ?? '-',
    receiveCount,
    age(now - Date.parse(firstSeen)),
    resultSent === null ? '?' : resultSent ? 'yes' : 'no',
    plain(reason),
  ]);
  const body = table(['message id', 'run', 'step', 'attempt', 'receives', 'age', 'engine told', 'reason'], rows);
  return `${head}${body.replace(/^(?=.)/gm, '  ')}${messages.length < kept ? `  ${counted(kept - messages.length, 'message')} more, hidden now or not looked at\n` : ''}`;
}
