import type { QueueKind } from '../../../../topology/queue-kinds.ts';
import { type Finding, queueLabel, type Rule } from '../finding.ts';
import { kindOfQueue } from '../queue-kind.ts';

/** What nothing else shows of a queue that the engine reads. */
const UNSEEN: Readonly<Partial<Record<QueueKind, string>>> = {
  results: 'while no engine receives results every run stands still',
  'start-run': 'while no engine receives starts no run begins',
};

/** An alarm watches each queue that the engine reads. */
export const alarmsRule: Rule = (facts) =>
  facts.queues.flatMap((queue): Finding[] => {
    const kind = kindOfQueue(facts, queue);
    const unseen = kind && UNSEEN[kind];
    if (facts.watchedQueues === undefined || unseen === undefined || facts.watchedQueues.has(queue.id)) return [];
    const why = `no alarm watches it: ${unseen}, and nothing else shows it`;
    const fix = 'leave custom.durable.alarms on, or add an alarm on its ApproximateAgeOfOldestMessage';
    return [{ id: `${kind}-without-alarm`, severity: 'warning', where: queueLabel(facts, queue), why, fix }];
  });
