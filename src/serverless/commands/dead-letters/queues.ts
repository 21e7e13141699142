import type { ServiceStep } from '../../durable-service.ts';
import type { AdminSqs } from '../aws/admin-sqs.ts';
import { findQueue, type QueueDepth } from '../aws/queue-depth.ts';
import { CommandError } from '../command-error.ts';

/** The queues through which the dead letters of one step go. */
export interface DeadLetterQueues {
  readonly step: ServiceStep;
  /** Of the tasks queue, whether it exists or not. */
  readonly tasksUrl: string;
  /** False once the step or its stack was removed: its dead letters outlive both. */
  readonly tasksQueueExists: boolean;
  readonly deadLetters: DeadLetterQueue;
  readonly parked: DeadLetterQueue;
}

export interface DeadLetterQueue {
  readonly kind: 'dead-letters' | 'parked';
  readonly name: string;
  readonly url: string;
  readonly depth: QueueDepth;
}

/** Looks up the queues of some steps. @throws CommandError where one of dead letters does not exist */
export async function findDeadLetterQueues(sqs: AdminSqs, steps: readonly ServiceStep[]): Promise<DeadLetterQueues[]> {
  const find = async (kind: DeadLetterQueue['kind'], name: string): Promise<DeadLetterQueue> => {
    const found = await findQueue(sqs, name);
    if (found === undefined) throw missing(name);
    return { kind, name, ...found };
  };
  return Promise.all(
    steps.map(async (step) => {
      const [tasksUrl, deadLetters, parked] = await Promise.all([
        sqs.findQueueUrl(step.queues.tasks),
        find('dead-letters', step.queues.deadLetters),
        find('parked', step.queues.parked),
      ]);
      const beside = parked.url.slice(0, -parked.name.length);
      return { step, tasksUrl: tasksUrl ?? `${beside}${step.queues.tasks}`, tasksQueueExists: tasksUrl !== undefined, deadLetters, parked };
    }),
  );
}

/** @throws CommandError where a step has no tasks queue that its dead letters could go back to */
export function requireTasksQueues(steps: readonly DeadLetterQueues[]): void {
  for (const { step, tasksQueueExists } of steps) if (!tasksQueueExists) throw missing(step.queues.tasks);
}

function missing(name: string): CommandError {
  return new CommandError(`queue "${name}" does not exist: deploy the service first (or is it another --stage or --region?)`);
}
