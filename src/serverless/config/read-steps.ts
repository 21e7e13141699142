import { sanitizeQueueToken, tenantGroup } from '@dudousxd/nestjs-durable-core';
import { STEP_QUEUES } from '../../topology/queue-kinds.ts';
import { deadLetterQueueName, parkedQueueName, tasksQueueName } from '../../topology/queue-names.ts';
import { advisedVisibilitySeconds } from '../../topology/visibility.ts';
import type { DeadLetterMapping } from '../deployment.ts';
import type { DurableFunction, DurableStep } from '../durable-service.ts';
import { DEAD_LETTER_FIELDS, STEP_FIELDS } from './schema.ts';
import { type Problems, Section, shown } from './section.ts';

const HINTS = {
  filterPatterns: 'a filter deletes every task that it does not match; remove it and give each step its own durableStep',
  filterCriteria: 'a filter deletes every task that it does not match; remove it and give each step its own durableStep',
};

/** Reads one `durableStep` event; undefined where it has no name to go by. */
export function readStep(value: unknown, path: string, fn: DurableFunction, prefix: string, problems: Problems): DurableStep | undefined {
  if (typeof value !== 'string' && (typeof value !== 'object' || value === null || Array.isArray(value))) {
    problems.add(path, `expected the name of a step, or an object with its name, got ${shown(value)}`);
    return undefined;
  }
  const section = new Section(typeof value === 'string' ? { name: value } : value, path, STEP_FIELDS, problems, HINTS);
  const name = section.text('name');
  if (name === undefined) return undefined;
  const partition = section.text('partition');
  const fifo = section.flag('fifo') ?? false;
  const batchWindowSeconds = section.integer('batchWindow') ?? 0;
  const token = tenantGroup(sanitizeQueueToken(name), partition);
  return {
    path,
    name,
    partition,
    token,
    function: fn,
    queues: {
      tasks: tasksQueueName(token, prefix, { fifo }),
      deadLetters: deadLetterQueueName(token, prefix, { fifo }),
      parked: parkedQueueName(token, prefix, { fifo }),
    },
    batchSize: section.integer('batchSize') ?? 10,
    batchWindowSeconds,
    maximumConcurrency: section.integer('maximumConcurrency'),
    provisionedPollers: readPollers(section.section('provisionedPollers')),
    maxReceiveCount: section.integer('maxReceiveCount') ?? STEP_QUEUES.tasks.redrive.maxReceiveCount,
    visibilityTimeoutSeconds: section.integer('visibilityTimeout') ?? advisedVisibilitySeconds(fn.timeoutSeconds, batchWindowSeconds),
    fifo,
    enabled: section.flag('enabled') ?? true,
  };
}

/** Reads one `durableDeadLetters` event. */
export function readDeadLetters(value: unknown, path: string, problems: Problems): DeadLetterMapping {
  if (value !== true && (typeof value !== 'object' || value === null || Array.isArray(value))) {
    problems.add(path, `expected true, or an object of ${Object.keys(DEAD_LETTER_FIELDS).join(', ')}, got ${shown(value)}`);
  }
  const section = new Section(value, path, DEAD_LETTER_FIELDS, problems);
  return {
    path,
    batchSize: section.integer('batchSize') ?? 10,
    // Dead letters are rare and not urgent: they must not use up the concurrency that steps need.
    maximumConcurrency: section.integer('maximumConcurrency') ?? 2,
    enabled: section.flag('enabled') ?? true,
  };
}

function readPollers(section: Section | undefined): DurableStep['provisionedPollers'] {
  const minimum = section?.integer('minimum');
  const maximum = section?.integer('maximum');
  return minimum === undefined || maximum === undefined ? undefined : { minimum, maximum };
}
