import { type Finding, queueLabel, type Rule } from '../finding.ts';
import { kindOfQueue } from '../queue-kind.ts';

/** An alarm watches the results queue. */
export const alarmsRule: Rule = (facts) =>
  facts.queues.flatMap((queue): Finding[] => {
    if (facts.watchedQueues === undefined || kindOfQueue(facts, queue) !== 'results' || facts.watchedQueues.has(queue.id)) return [];
    const why = 'no alarm watches it: while no engine receives results every run stands still, and nothing else shows it';
    const fix = 'leave custom.durable.alarms on, or add an alarm on its ApproximateAgeOfOldestMessage';
    return [{ id: 'results-without-alarm', severity: 'warning', where: queueLabel(facts, queue), why, fix }];
  });
