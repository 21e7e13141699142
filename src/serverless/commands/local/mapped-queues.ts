import { wakeUpsQueueName } from '../../../topology/queue-names.ts';
import type { DurableDeployment } from '../../deployment.ts';
import { allSteps } from '../../durable-service.ts';

/** What the queue of a mapping brings: tasks of a step, dead letters, or what moves the engine on. */
export type Brings = 'tasks' | 'dead letters' | 'answers';

/** A queue that invokes a function, and what the output calls it. */
export interface MappedQueue {
  readonly queueName: string;
  readonly source: string;
  readonly brings: Brings;
  readonly enabled: boolean;
  readonly batchSize: number;
  readonly batchWindowSeconds?: number;
  readonly maximumConcurrency?: number | undefined;
}

/** The mappings of a function, as serverless.yml says. */
export function mappedQueues(service: DurableDeployment, functionKey: string): MappedQueue[] {
  return [...stepQueues(service, functionKey), ...deadLetterQueues(service, functionKey), ...engineQueues(service, functionKey)];
}

function stepQueues({ steps }: DurableDeployment, functionKey: string): MappedQueue[] {
  return steps
    .filter((step) => step.function.functionKey === functionKey)
    .map(({ name, queues, batchSize, batchWindowSeconds, maximumConcurrency, enabled }) => {
      const settings = { batchSize, batchWindowSeconds, maximumConcurrency, enabled };
      return { ...settings, queueName: queues.tasks, source: name, brings: 'tasks' };
    });
}

function deadLetterQueues(service: DurableDeployment, functionKey: string): MappedQueue[] {
  const { deadLetters, deadLetterMapping } = service;
  if (deadLetters?.functionKey !== functionKey || deadLetterMapping === undefined) return [];
  const { batchSize, maximumConcurrency, enabled } = deadLetterMapping;
  return allSteps(service).map(({ name, queues }) => {
    const settings = { batchSize, maximumConcurrency, enabled };
    return { ...settings, queueName: queues.deadLetters, source: `${name} (dead letters)`, brings: 'dead letters' };
  });
}

function engineQueues({ engine, resultsQueue, startRuns, prefix }: DurableDeployment, functionKey: string): MappedQueue[] {
  if (engine?.function.functionKey !== functionKey) return [];
  const { batchSize, maximumConcurrency, enabled } = engine;
  const settings = { batchSize, maximumConcurrency, enabled, brings: 'answers' } as const;
  return [
    { ...settings, queueName: resultsQueue.name, source: 'results' },
    ...(startRuns === undefined ? [] : [{ ...settings, queueName: startRuns.name, source: 'starts' }]),
    { ...settings, queueName: wakeUpsQueueName(prefix), source: 'wake-ups' },
  ];
}
