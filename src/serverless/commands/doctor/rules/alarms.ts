import { type Finding, kindOfQueue, label, type Rule } from '../facts.ts';

/** Somebody is called when results pile up. */
export const alarmsRule: Rule = (facts) =>
  facts.queues.flatMap((queue): Finding[] => {
    if (facts.watchedQueues === undefined || kindOfQueue(facts, queue) !== 'results' || facts.watchedQueues.has(queue.id)) return [];
    const why = 'no alarm watches it: while no engine takes results every run stands still, and nothing else shows it';
    const fix = 'leave custom.durable.alarms on, or add an alarm on its ApproximateAgeOfOldestMessage';
    return [{ id: 'results-without-alarm', severity: 'warning', where: label(facts, queue), why, fix }];
  });
