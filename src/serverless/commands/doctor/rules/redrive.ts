import { MAX_RETENTION_SECONDS, QUEUES, type QueueKind, type RedriveFigures } from '../../../../topology/queue-kinds.ts';
import type { Facts, QueueFacts } from '../facts.ts';
import { type Finding, queueLabel, type Rule } from '../finding.ts';
import { kindOfQueue } from '../queue-kind.ts';

/** What a queue without a dead-letter queue does, and what becomes of a message whose receives are used up too soon. */
interface Harm {
  readonly noRedrive: string;
  readonly fewReceives: string;
}

const GONE = 'a message that always fails is redelivered until its retention ends, and is then gone without a trace';

const HARM: Readonly<Partial<Record<QueueKind, Harm>>> = {
  tasks: {
    noRedrive: `it has no dead-letter queue: ${GONE}`,
    fewReceives: 'throttled invocations and neighbours of a poison message use receives up too, so healthy tasks become dead letters',
  },
  'dead-letters': {
    noRedrive: `it has no parked queue: ${GONE}`,
    fewReceives: 'throttled invocations of its function use receives up too, so dead letters are parked before their runs are told',
  },
  results: {
    noRedrive: `it has no dead-letter queue: ${GONE}`,
    fewReceives:
      "each time the engine's store is down for a result uses one up, and the run of a result that becomes a dead letter waits for ever",
  },
  'start-run': {
    noRedrive: `it has no dead-letter queue: ${GONE}`,
    fewReceives: 'each engine that refuses a start uses one up, so a deployment that is under way parks starts of new workflows',
  },
};

/** Queues whose kind redrives do so, allow enough receives, and lose no dead letter to its retention. */
export const redriveRule: Rule = (facts) =>
  facts.queues.flatMap((queue) => {
    const kind = kindOfQueue(facts, queue);
    const figures = kind && QUEUES[kind].redrive;
    const harm = kind && HARM[kind];
    if (figures === undefined || harm === undefined) return [];
    // Dead letters that no function reads wait for a human, as parked ones do.
    if (kind === 'dead-letters' && !facts.mappings.some(({ queueId }) => queueId === queue.id)) return [];
    return redriveProblems(facts, queue, figures, harm);
  });

function redriveProblems(facts: Facts, queue: QueueFacts, figures: RedriveFigures, harm: Harm): Finding[] {
  const where = queueLabel(facts, queue);
  const { redrive } = queue;
  if (redrive === undefined) {
    const fix = `give it a RedrivePolicy with a ${figures.to === 'parked' ? 'parked' : 'dead-letter'} queue and maxReceiveCount ${figures.maxReceiveCount}`;
    return [{ id: 'no-dead-letter-queue', severity: 'error', where, why: harm.noRedrive, fix }];
  }
  return [...receiveCountProblems(where, redrive.maxReceiveCount, figures, harm), ...retentionProblems(facts, queue, redrive.to)];
}

function receiveCountProblems(where: string, count: number | undefined, figures: RedriveFigures, harm: Harm): Finding[] {
  const fix = `set maxReceiveCount to ${figures.maxReceiveCount}`;
  if (count === undefined) {
    const why = 'its RedrivePolicy has no maxReceiveCount, so nothing is ever moved';
    return [{ id: 'no-max-receive-count', severity: 'error', where, why, fix }];
  }
  if (count >= figures.leastReceiveCount) return [];
  return [{ id: 'max-receive-count-low', severity: 'warning', where, why: `maxReceiveCount is ${count}: ${harm.fewReceives}`, fix }];
}

function retentionProblems(facts: Facts, queue: QueueFacts, to: string | undefined): Finding[] {
  const target = facts.queues.find(({ id }) => id === to);
  if (target === undefined || target.retentionSeconds > queue.retentionSeconds || target.retentionSeconds >= MAX_RETENTION_SECONDS)
    return [];
  const why = `it keeps messages ${days(target.retentionSeconds)}, no longer than ${queue.name ?? queue.id} (${days(queue.retentionSeconds)}): a dead letter keeps its first enqueue time, so it can expire as it arrives`;
  const fix = `set its MessageRetentionPeriod to ${MAX_RETENTION_SECONDS} (${days(MAX_RETENTION_SECONDS)})`;
  return [{ id: 'dead-letter-retention', severity: 'error', where: queueLabel(facts, target), why, fix }];
}

function days(seconds: number): string {
  return `${Number((seconds / 86_400).toFixed(2))} d`;
}
