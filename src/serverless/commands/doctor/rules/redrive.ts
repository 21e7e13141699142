import { RESULTS_MAX_RECEIVE_COUNT } from '../../../../topology/queue-attributes.ts';
import { type Facts, type Finding, kindOfQueue, label, type QueueFacts, type Rule } from '../facts.ts';

/** Fewer receives than AWS's advice kill healthy tasks: throttles and neighbours of a poison message use receives up too. */
const LEAST_RECEIVES = 5;
/** Two hours of a store that is down, for a lone result. */
const LEAST_RECEIVES_OF_RESULTS = 50;

/** Queues whose messages must not get lost have a dead-letter queue that keeps them long enough. */
export const redriveRule: Rule = (facts) =>
  facts.queues.flatMap((queue) => {
    const kind = kindOfQueue(facts, queue);
    return kind === 'tasks' || kind === 'results' ? redriveOf(facts, queue, kind) : [];
  });

function redriveOf(facts: Facts, queue: QueueFacts, kind: 'tasks' | 'results'): Finding[] {
  const receives = kind === 'tasks' ? 10 : RESULTS_MAX_RECEIVE_COUNT;
  const where = label(facts, queue);
  const { redrive } = queue;
  if (redrive === undefined) {
    const why =
      'it has no dead-letter queue: a message that always fails comes again until its retention ends, and is then gone without a trace';
    return [
      {
        id: 'no-dead-letter-queue',
        severity: 'error',
        where,
        why,
        fix: `give it a RedrivePolicy with a dead-letter queue and maxReceiveCount ${receives}`,
      },
    ];
  }
  return [...countOf(kind, where, redrive.maxReceiveCount, `set maxReceiveCount to ${receives}`), ...retention(facts, queue, redrive.to)];
}

function countOf(kind: 'tasks' | 'results', where: string, count: number | undefined, fix: string): Finding[] {
  if (count === undefined) {
    return [
      {
        id: 'no-max-receive-count',
        severity: 'error',
        where,
        why: 'its RedrivePolicy has no maxReceiveCount, so nothing is ever moved',
        fix,
      },
    ];
  }
  if (count >= (kind === 'tasks' ? LEAST_RECEIVES : LEAST_RECEIVES_OF_RESULTS)) return [];
  const why =
    kind === 'tasks'
      ? `maxReceiveCount is ${count}: throttled invocations and neighbours of a poison message use receives up too, so healthy messages die`
      : `maxReceiveCount is ${count}: each time the engine's store is down for a result uses one up, and the run of a result that dies waits for ever`;
  return [{ id: 'max-receive-count-low', severity: 'warning', where, why, fix }];
}

function retention(facts: Facts, queue: QueueFacts, to: string | undefined): Finding[] {
  const target = facts.queues.find(({ id }) => id === to);
  if (target === undefined || target.retentionSeconds > queue.retentionSeconds) return [];
  const why = `it keeps messages ${days(target.retentionSeconds)}, no longer than ${queue.name ?? queue.id} (${days(queue.retentionSeconds)}): a dead letter keeps its first enqueue time, so it can expire as it arrives`;
  return [
    {
      id: 'dead-letter-retention',
      severity: 'error',
      where: label(facts, target),
      why,
      fix: 'set its MessageRetentionPeriod to 1209600 (14 days)',
    },
  ];
}

function days(seconds: number): string {
  return `${Number((seconds / 86_400).toFixed(2))} d`;
}
