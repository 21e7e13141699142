import { wakeUpsQueueName } from '../../topology/queue-names.ts';
import type { DurableFunction, DurableService, EngineFunction } from '../durable-service.ts';
import { RESULTS_QUEUE, START_RUN_QUEUE, WAKE_UPS_QUEUE } from '../resources/logical-ids.ts';
import { DEFAULT_ENGINE_CONCURRENCY, ENGINE_FIELDS } from './schema.ts';
import { type Problems, switchSection } from './section.ts';

/** Reads one `durableEngine` event. */
export function readEngine(value: unknown, path: string, fn: DurableFunction, problems: Problems): EngineFunction {
  const section = switchSection(value, path, ENGINE_FIELDS, problems);
  return {
    path,
    function: fn,
    batchSize: section.integer('batchSize') ?? 10,
    maximumConcurrency: section.integer('maximumConcurrency') ?? DEFAULT_ENGINE_CONCURRENCY,
    enabled: section.flag('enabled') ?? true,
    tickMinutes: section.integer('tickMinutes') ?? 1,
  };
}

/** The queues that an engine reads, by name and logical id. */
export function engineQueues({ prefix, resultsQueue, startRuns }: Pick<DurableService, 'prefix' | 'resultsQueue' | 'startRuns'>) {
  return [
    { name: resultsQueue.name, logicalId: RESULTS_QUEUE },
    ...(startRuns === undefined ? [] : [{ name: startRuns.name, logicalId: START_RUN_QUEUE }]),
    { name: wakeUpsQueueName(prefix), logicalId: WAKE_UPS_QUEUE },
  ];
}

interface Around extends Pick<DurableService, 'prefix' | 'resultsQueue' | 'startRuns'> {
  /** Paths of the other durable events of its function. */
  readonly otherEvents: readonly string[];
}

/** What AWS would refuse of the engine's mappings, or lose. */
export function checkEngine(
  { path, function: fn, maximumConcurrency }: EngineFunction,
  { prefix, resultsQueue, startRuns, otherEvents }: Around,
  problems: Problems,
): void {
  for (const other of otherEvents) {
    problems.add(other, `expected a function of its own for the engine, got the one of ${path}; move one of the two to another function`);
  }
  // Its visibility timeout, which AWS compares with the function's timeout, is its owner's.
  if (!resultsQueue.owned) {
    const remedy = 'move the engine to the service that owns the queue, and set resultsQueue.engineFunction: true here';
    problems.add(path, `expected a results queue that this service makes, got ${resultsQueue.name} of another service; ${remedy}`);
  }
  if (startRuns?.owned === false) {
    const remedy = 'make it here (startRuns: true) and share it with the other service';
    problems.add(path, `expected a start queue that this service makes, got ${startRuns.name} of another service; ${remedy}`);
  }
  const needed = engineConcurrency(maximumConcurrency, engineQueues({ prefix, resultsQueue, startRuns }).length);
  if (fn.reservedConcurrency !== undefined && fn.reservedConcurrency < needed) {
    problems.add(
      `functions.${fn.functionKey}.reservedConcurrency`,
      `expected at least ${needed}, the maximumConcurrency of the engine's mappings together and one for its tick, got ${fn.reservedConcurrency}; ` +
        'throttled invocations use up receives; raise it, or lower maximumConcurrency',
    );
  }
}

/** Invocations at the same time at most: of results, wake-ups and starts, and of a tick. */
function engineConcurrency(maximumConcurrency: number, queues: number): number {
  return maximumConcurrency * queues + 1;
}
