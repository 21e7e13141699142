import { sanitizeQueueToken, tenantGroup } from '@dudousxd/nestjs-durable-core';
import { STEP_QUEUES } from '../../topology/queue-kinds.ts';
import { deadLetterQueueName, parkedQueueName, tasksQueueName } from '../../topology/queue-names.ts';
import { advisedVisibilitySeconds } from '../../topology/visibility.ts';
import type { DeadLetterMapping } from '../deployment.ts';
import type { DurableFunction, DurableStep, ServiceStep } from '../durable-service.ts';
import { CONTAINER_STEP_FIELDS, DEAD_LETTER_FIELDS, DEFAULT_CONTAINER_VISIBILITY_SECONDS, type Fields, STEP_FIELDS } from './schema.ts';
import { type Problems, Section, shown, switchSection } from './section.ts';

type Hints = Readonly<Record<string, string>>;

const FUNCTION_HINTS: Hints = {
  filterPatterns: 'a filter deletes every task that it does not match; remove it and give each step its own event',
  filterCriteria: 'a filter deletes every task that it does not match; remove it and give each step its own event',
};

const OF_A_MAPPING = 'it belongs to a mapping, and Lambda does not read the queue of a container step; remove it';

const CONTAINER_HINTS: Hints = Object.fromEntries(
  Object.keys(STEP_FIELDS)
    .filter((key) => !Object.hasOwn(CONTAINER_STEP_FIELDS, key))
    .map((key) => [key, OF_A_MAPPING]),
);

/**
 * Reads one `durableStep` or `durableWorkflow` event: their settings are the same. Undefined where it has no name to go
 * by.
 */
export function readStep(value: unknown, path: string, fn: DurableFunction, prefix: string, problems: Problems): DurableStep | undefined {
  const section = stepSection(value, path, STEP_FIELDS, FUNCTION_HINTS, problems);
  const step = section && readNamedStep(section, prefix);
  if (section === undefined || step === undefined) return undefined;
  const batchWindowSeconds = section.integer('batchWindow') ?? 0;
  return {
    ...step,
    function: fn,
    visibilityTimeoutSeconds: section.integer('visibilityTimeout') ?? advisedVisibilitySeconds(fn.timeoutSeconds, batchWindowSeconds),
    batchSize: section.integer('batchSize') ?? 10,
    batchWindowSeconds,
    maximumConcurrency: section.integer('maximumConcurrency'),
    provisionedPollers: readPollers(section.section('provisionedPollers')),
    enabled: section.flag('enabled') ?? true,
  };
}

/** Reads one item of `containerSteps`; undefined where it has no name to go by. */
export function readContainerStep(value: unknown, path: string, prefix: string, problems: Problems): ServiceStep | undefined {
  const section = stepSection(value, path, CONTAINER_STEP_FIELDS, CONTAINER_HINTS, problems);
  const step = section && readNamedStep(section, prefix);
  if (section === undefined || step === undefined) return undefined;
  const visibilityTimeoutSeconds = section.integer('visibilityTimeout') ?? DEFAULT_CONTAINER_VISIBILITY_SECONDS;
  return { ...step, function: undefined, visibilityTimeoutSeconds };
}

function stepSection(value: unknown, path: string, fields: Fields, hints: Hints, problems: Problems): Section | undefined {
  if (typeof value === 'string' ? value !== '' : typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return new Section(typeof value === 'string' ? { name: value } : value, path, fields, problems, hints);
  }
  problems.add(path, `expected the name of a ${kindAt(path)}, or an object with its name, got ${shown(value)}`);
  return undefined;
}

/** The name of the event says it. */
function kindAt(path: string): ServiceStep['kind'] {
  return path.endsWith('.durableWorkflow') ? 'workflow' : 'step';
}

function readNamedStep(section: Section, prefix: string): Omit<ServiceStep, 'function' | 'visibilityTimeoutSeconds'> | undefined {
  const name = section.text('name');
  if (name === undefined) return undefined;
  const partition = section.text('partition');
  const fifo = section.flag('fifo') ?? false;
  const token = tenantGroup(sanitizeQueueToken(name), partition);
  return {
    path: section.path,
    name,
    kind: kindAt(section.path),
    partition,
    token,
    queues: {
      tasks: tasksQueueName(token, prefix, { fifo }),
      deadLetters: deadLetterQueueName(token, prefix, { fifo }),
      parked: parkedQueueName(token, prefix, { fifo }),
    },
    maxReceiveCount: section.integer('maxReceiveCount') ?? STEP_QUEUES.tasks.redrive.maxReceiveCount,
    fifo,
  };
}

/** Reads one `durableDeadLetters` event. */
export function readDeadLetters(value: unknown, path: string, problems: Problems): DeadLetterMapping {
  const section = switchSection(value, path, DEAD_LETTER_FIELDS, problems);
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
