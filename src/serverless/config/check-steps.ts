import { longestLifeDays } from '../../topology/queue-kinds.ts';
import { leastVisibilitySeconds } from '../../topology/visibility.ts';
import type { DeadLetterMapping, PayloadBucket } from '../deployment.ts';
import type { DurableFunction, DurableStep, ServiceStep } from '../durable-service.ts';
import type { Problems } from './section.ts';

/** What AWS or a queue would refuse or lose of a single step. */
export function checkStep(step: DurableStep, problems: Problems): void {
  const { path, function: fn, batchSize, batchWindowSeconds, fifo, visibilityTimeoutSeconds, provisionedPollers } = step;
  const least = leastVisibilitySeconds(fn.timeoutSeconds, batchWindowSeconds);
  if (visibilityTimeoutSeconds < least) {
    problems.add(
      `${path}.visibilityTimeout`,
      `expected at least ${least} (function timeout ${fn.timeoutSeconds} + batchWindow ${batchWindowSeconds}), got ${visibilityTimeoutSeconds}; ` +
        'a task would be delivered again while it runs; remove it, the default is 6 × the timeout + the window',
    );
  }
  if (fifo && batchSize > 10) {
    problems.add(`${path}.batchSize`, `expected at most 10 on a FIFO queue, got ${batchSize}`);
  } else if (batchSize > 10 && batchWindowSeconds === 0) {
    problems.add(`${path}.batchSize`, `expected at most 10 without a batchWindow, got ${batchSize}; add batchWindow: 1 (seconds) or more`);
  }
  if (fifo && batchWindowSeconds > 0) {
    problems.add(`${path}.batchWindow`, `expected none on a FIFO queue, got ${batchWindowSeconds}; remove it`);
  }
  if (provisionedPollers !== undefined && step.maximumConcurrency !== undefined) {
    problems.add(`${path}.maximumConcurrency`, 'expected none beside provisionedPollers (AWS allows one of the two), got both; remove one');
  }
  if (provisionedPollers !== undefined && provisionedPollers.minimum > provisionedPollers.maximum) {
    problems.add(
      `${path}.provisionedPollers.minimum`,
      `expected at most the maximum, ${provisionedPollers.maximum}, got ${provisionedPollers.minimum}`,
    );
  }
}

/** What goes wrong between steps. */
export function checkTogether(steps: readonly ServiceStep[], problems: Problems): void {
  const seen = new Map<string, ServiceStep>();
  for (const step of steps) {
    // By token: a FIFO queue and a standard queue of one token differ in name, but the engine sends to one of them
    // only.
    const other = seen.get(step.token);
    if (other === undefined) seen.set(step.token, step);
    else problems.add(step.path, sharedQueue(step, other));
  }
}

/** The engine refuses the tasks of a partition while it has a namespace. */
export function checkPartitions(steps: readonly ServiceStep[], problems: Problems): void {
  for (const { path, token } of steps.filter((step) => step.token.includes('@'))) {
    const remedy = 'an engine with a namespace refuses its tasks; remove the partition or custom.durable.namespace';
    problems.add(path, `expected no partition under a namespace, got the routing token "${token}"; ${remedy}`);
  }
}

/** A stored body must exist for as long as a message can point to it. */
export function checkRetention(bucket: PayloadBucket | undefined, steps: readonly ServiceStep[], problems: Problems): void {
  const step = steps.find(({ fifo }) => fifo);
  const least = longestLifeDays({ fifo: true });
  if (bucket?.owned !== true || step === undefined || bucket.retentionDays >= least) return;
  problems.add(
    'custom.durable.payloadBucket.retentionDays',
    `expected at least ${least} with a FIFO step (${step.path}), got ${bucket.retentionDays}; ` +
      'SQS keeps a FIFO message anew in its dead-letter queue, and its stored body would expire before it; remove it or raise it',
  );
}

/** Throttled invocations use up receives: a function must be allowed all that its mappings may ask of it together. */
export function checkConcurrency(
  steps: readonly DurableStep[],
  deadLetterQueues: number,
  deadLetters: { readonly function: DurableFunction; readonly mapping: DeadLetterMapping } | undefined,
  problems: Problems,
): void {
  const asked = steps.map((step) => ({ fn: step.function, maximum: step.maximumConcurrency ?? 0 }));
  if (deadLetters !== undefined)
    asked.push({ fn: deadLetters.function, maximum: deadLetters.mapping.maximumConcurrency * deadLetterQueues });
  for (const [functionKey, entries] of Map.groupBy(asked, ({ fn }) => fn.functionKey)) {
    const reserved = entries[0]?.fn.reservedConcurrency;
    const maximum = entries.reduce((sum, entry) => sum + entry.maximum, 0);
    if (reserved === 0 && maximum === 0 && steps.some((step) => step.function.functionKey === functionKey && step.enabled)) {
      problems.add(
        `functions.${functionKey}.reservedConcurrency`,
        'expected 1 or more, got 0; every invocation would be throttled until its task is a dead letter; to stop a step set enabled: false',
      );
    }
    if (reserved !== undefined && reserved < maximum) {
      problems.add(
        `functions.${functionKey}.reservedConcurrency`,
        `expected at least ${maximum}, the maximumConcurrency of its mappings together, got ${reserved}; ` +
          'throttled invocations use up receives; raise it, or to stop a step set enabled: false',
      );
    }
  }
}

function sharedQueue(step: ServiceStep, other: ServiceStep): string {
  if (step.name === other.name && step.partition === other.partition) {
    return `expected each step once, got "${step.name}" at ${other.path} too; each would receive the other's tasks; remove one`;
  }
  return `expected a queue of its own, got that of "${other.name}" (${other.path}): both have the routing token "${step.token}"; rename one`;
}
