import {
  DEAD_LETTERS_RETENTION_SECONDS,
  RESULTS_MAX_RECEIVE_COUNT,
  TASKS_MAX_RECEIVE_COUNT,
} from '../../../../topology/queue-attributes.ts';
import type { Facts, QueueFacts } from '../facts.ts';
import { type Finding, queueLabel, type Rule } from '../finding.ts';
import { kindOfQueue } from '../queue-kind.ts';

interface Limits {
  /** Below this: a warning. */
  readonly least: number;
  /** What to set. */
  readonly advised: number;
  /** What becomes of a message whose receives are used up too soon. */
  readonly harm: string;
}

const LIMITS: Readonly<Record<'tasks' | 'results', Limits>> = {
  tasks: {
    // AWS's own advice.
    least: 5,
    advised: TASKS_MAX_RECEIVE_COUNT,
    harm: 'throttled invocations and neighbours of a poison message use receives up too, so healthy tasks become dead letters',
  },
  results: {
    // Two hours of an outage of the engine's store, for a single result.
    least: 50,
    advised: RESULTS_MAX_RECEIVE_COUNT,
    harm: "each time the engine's store is down for a result uses one up, and the run of a result that becomes a dead letter waits for ever",
  },
};

/** Tasks and results queues have a dead-letter queue, allow enough receives, and lose no dead letter to its retention. */
export const redriveRule: Rule = (facts) =>
  facts.queues.flatMap((queue) => {
    const kind = kindOfQueue(facts, queue);
    return kind === 'tasks' || kind === 'results' ? redriveProblems(facts, queue, LIMITS[kind]) : [];
  });

function redriveProblems(facts: Facts, queue: QueueFacts, limits: Limits): Finding[] {
  const where = queueLabel(facts, queue);
  const { redrive } = queue;
  if (redrive === undefined) {
    const why =
      'it has no dead-letter queue: a message that always fails is redelivered until its retention ends, and is then gone without a trace';
    const fix = `give it a RedrivePolicy with a dead-letter queue and maxReceiveCount ${limits.advised}`;
    return [{ id: 'no-dead-letter-queue', severity: 'error', where, why, fix }];
  }
  return [...receiveCountProblems(where, redrive.maxReceiveCount, limits), ...retentionProblems(facts, queue, redrive.to)];
}

function receiveCountProblems(where: string, count: number | undefined, { least, advised, harm }: Limits): Finding[] {
  const fix = `set maxReceiveCount to ${advised}`;
  if (count === undefined) {
    const why = 'its RedrivePolicy has no maxReceiveCount, so nothing is ever moved';
    return [{ id: 'no-max-receive-count', severity: 'error', where, why, fix }];
  }
  if (count >= least) return [];
  return [{ id: 'max-receive-count-low', severity: 'warning', where, why: `maxReceiveCount is ${count}: ${harm}`, fix }];
}

function retentionProblems(facts: Facts, queue: QueueFacts, to: string | undefined): Finding[] {
  const target = facts.queues.find(({ id }) => id === to);
  if (target === undefined || target.retentionSeconds > queue.retentionSeconds) return [];
  const why = `it keeps messages ${days(target.retentionSeconds)}, no longer than ${queue.name ?? queue.id} (${days(queue.retentionSeconds)}): a dead letter keeps its first enqueue time, so it can expire as it arrives`;
  const fix = `set its MessageRetentionPeriod to ${DEAD_LETTERS_RETENTION_SECONDS} (${days(DEAD_LETTERS_RETENTION_SECONDS)})`;
  return [{ id: 'dead-letter-retention', severity: 'error', where: queueLabel(facts, target), why, fix }];
}

function days(seconds: number): string {
  return `${Number((seconds / 86_400).toFixed(2))} d`;
}
