import {
  DEAD_LETTERS_MAX_RECEIVE_COUNT,
  DEAD_LETTERS_RETENTION_SECONDS,
  queueAttributes,
  RESULTS_MAX_RECEIVE_COUNT,
  RESULTS_RETENTION_SECONDS,
  TASKS_RETENTION_SECONDS,
  VISIBILITY_PER_FUNCTION_TIMEOUT,
} from '../../topology/queue-attributes.ts';
import { resultsDeadLetterQueueName } from '../../topology/queue-names.ts';
import type { DurableService, DurableStep } from '../durable-service.ts';

/** A queue of the service. */
export interface PlannedQueue {
  readonly name: string;
  readonly kind: 'tasks' | 'dead-letters' | 'parked' | 'results' | 'results-dead-letters';
  /** Routing token of the step; undefined for the results. */
  readonly token: string | undefined;
  readonly fifo: boolean;
  readonly retentionSeconds: number;
  readonly visibilityTimeoutSeconds: number;
  /** Where messages go that were received too often. */
  readonly redrive: { readonly to: string; readonly maxReceiveCount: number } | undefined;
}

/** Seconds that a result, or a message nobody consumes, stays hidden. */
const RESULTS_VISIBILITY_SECONDS = 30;

/** All queues of a service, with the figures they have on AWS; each after the one it redrives to. */
export function queuePlan(service: DurableService): PlannedQueue[] {
  return [...resultsQueues(service), ...service.steps.flatMap((step) => stepQueues(step, service))];
}

/** Name of the results queue, read off its URL where another service owns it. */
export function resultsName({ resultsQueue }: DurableService): string {
  if (resultsQueue.owned) return resultsQueue.name;
  return resultsQueue.url.split('/').at(-1) ?? resultsQueue.url;
}

function resultsQueues(service: DurableService): PlannedQueue[] {
  const { resultsQueue, prefix } = service;
  const { fifo } = resultsQueue;
  const shared = { token: undefined, fifo, visibilityTimeoutSeconds: RESULTS_VISIBILITY_SECONDS };
  const results = { ...shared, name: resultsName(service), kind: 'results' as const, retentionSeconds: RESULTS_RETENTION_SECONDS };
  // Whoever owns a shared results queue owns its dead-letter queue.
  if (!resultsQueue.owned) return [{ ...results, redrive: undefined }];
  const to = resultsDeadLetterQueueName(prefix, { fifo });
  return [
    { ...shared, name: to, kind: 'results-dead-letters', retentionSeconds: DEAD_LETTERS_RETENTION_SECONDS, redrive: undefined },
    { ...results, redrive: { to, maxReceiveCount: RESULTS_MAX_RECEIVE_COUNT } },
  ];
}

function stepQueues({ token, fifo, queues, ...step }: DurableStep, { deadLetters }: DurableService): PlannedQueue[] {
  const shared = { token, fifo };
  const retentionSeconds = DEAD_LETTERS_RETENTION_SECONDS;
  const visibilityTimeoutSeconds =
    deadLetters === undefined ? step.visibilityTimeoutSeconds : VISIBILITY_PER_FUNCTION_TIMEOUT * deadLetters.timeoutSeconds;
  return [
    { ...shared, name: queues.parked, kind: 'parked', retentionSeconds, visibilityTimeoutSeconds, redrive: undefined },
    {
      ...shared,
      name: queues.deadLetters,
      kind: 'dead-letters',
      retentionSeconds,
      visibilityTimeoutSeconds,
      redrive: { to: queues.parked, maxReceiveCount: DEAD_LETTERS_MAX_RECEIVE_COUNT },
    },
    {
      ...shared,
      name: queues.tasks,
      kind: 'tasks',
      retentionSeconds: TASKS_RETENTION_SECONDS,
      visibilityTimeoutSeconds: step.visibilityTimeoutSeconds,
      redrive: { to: queues.deadLetters, maxReceiveCount: step.maxReceiveCount },
    },
  ];
}

/** Attributes for `CreateQueue`. @param deadLetterQueueArn of the queue it redrives to */
export function createAttributes(queue: PlannedQueue, deadLetterQueueArn: string | undefined): Record<string, string> {
  const { retentionSeconds, visibilityTimeoutSeconds, redrive, fifo } = queue;
  return {
    ...queueAttributes({
      retentionSeconds,
      visibilityTimeoutSeconds,
      ...(redrive === undefined || deadLetterQueueArn === undefined
        ? {}
        : { redrive: { deadLetterQueueArn, maxReceiveCount: redrive.maxReceiveCount } }),
    }),
    ...(fifo ? { FifoQueue: 'true' } : {}),
  };
}
