import { startRunDeadLetterQueueName } from '../../../topology/queue-names.ts';
import type { DurableService, ServiceStep } from '../../durable-service.ts';
import type { AdminSqs } from '../aws/admin-sqs.ts';
import { missingQueue } from '../aws/missing-queue.ts';
import { findQueue, type QueueDepth } from '../aws/queue-depth.ts';

/** Whose dead letters they are: those of a step, or starts of runs. */
export type DeadLetterSource = Pick<ServiceStep, 'name' | 'partition' | 'function'>;

/** The queues through which the dead letters of one step go, or starts of runs. */
export interface DeadLetterQueues {
  readonly step: DeadLetterSource;
  /** Name of the queue that they came from: the tasks queue, or the start queue. */
  readonly tasksQueue: string;
  /** Its URL, whether it exists or not. */
  readonly tasksUrl: string;
  /** False once the step or its stack was removed: its dead letters outlive both. */
  readonly tasksQueueExists: boolean;
  /** Undefined for starts: no handler stands between their queue and the one where they wait for a person. */
  readonly deadLetters: DeadLetterQueue | undefined;
  readonly parked: DeadLetterQueue;
}

export interface DeadLetterQueue {
  readonly kind: 'dead-letters' | 'parked' | 'start-run-dead-letters';
  readonly name: string;
  readonly url: string;
  readonly depth: QueueDepth;
}

/** Looks up the queues of some steps. @throws CommandError where one of dead letters does not exist */
export async function findDeadLetterQueues(sqs: AdminSqs, steps: readonly ServiceStep[]): Promise<DeadLetterQueues[]> {
  return Promise.all(
    steps.map(async (step) => {
      const [tasksUrl, deadLetters, parked] = await Promise.all([
        sqs.findQueueUrl(step.queues.tasks),
        find(sqs, 'dead-letters', step.queues.deadLetters),
        find(sqs, 'parked', step.queues.parked),
      ]);
      return { step, ...source(step.queues.tasks, tasksUrl, parked), deadLetters, parked };
    }),
  );
}

/**
 * The starts that no engine could carry out, where the service has a start queue of its own.
 * @throws CommandError as above
 */
export async function findStartDeadLetters(sqs: AdminSqs, { startRuns, prefix }: DurableService): Promise<DeadLetterQueues[]> {
  if (startRuns?.owned !== true) return [];
  const [url, parked] = await Promise.all([
    sqs.findQueueUrl(startRuns.name),
    find(sqs, 'start-run-dead-letters', startRunDeadLetterQueueName(prefix)),
  ]);
  const step = { name: 'starts of runs', partition: undefined, function: undefined };
  return [{ step, ...source(startRuns.name, url, parked), deadLetters: undefined, parked }];
}

async function find(sqs: AdminSqs, kind: DeadLetterQueue['kind'], name: string): Promise<DeadLetterQueue> {
  const found = await findQueue(sqs, name);
  if (found === undefined) throw missingQueue(name);
  return { kind, name, ...found };
}

/**
 * @param url of the queue that dead letters came from, where there still is one. Else it is the one beside its parked
 * queue
 */
function source(tasksQueue: string, url: string | undefined, { url: parkedUrl, name }: DeadLetterQueue) {
  return { tasksQueue, tasksUrl: url ?? `${parkedUrl.slice(0, -name.length)}${tasksQueue}`, tasksQueueExists: url !== undefined };
}

/** @throws CommandError where a step has no tasks queue that its dead letters could go back to */
export function requireTasksQueues(steps: readonly DeadLetterQueues[]): void {
  for (const { tasksQueue, tasksQueueExists } of steps) if (!tasksQueueExists) throw missingQueue(tasksQueue);
}
