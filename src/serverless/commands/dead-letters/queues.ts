import type { DurableStep } from '../../durable-service.ts';
import type { AdminSqs } from '../aws/admin-sqs.ts';
import { findQueue, type QueueDepth } from '../aws/queue-depth.ts';
import { CommandError } from '../command-error.ts';

/** The queues through which the dead letters of one step go. */
export interface DeadLetterQueues {
  readonly step: DurableStep;
  readonly tasksUrl: string;
  readonly deadLetters: DeadLetterQueue;
  readonly parked: DeadLetterQueue;
}

export interface DeadLetterQueue {
  readonly kind: 'dead-letters' | 'parked';
  readonly name: string;
  readonly url: string;
  readonly depth: QueueDepth;
}

/** Looks up the queues of some steps. @throws CommandError where one does not exist */
export async function findDeadLetterQueues(sqs: AdminSqs, steps: readonly DurableStep[]): Promise<DeadLetterQueues[]> {
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
      if (tasksUrl === undefined) throw missing(step.queues.tasks);
      return { step, tasksUrl, deadLetters, parked };
    }),
  );
}

function missing(name: string): CommandError {
  return new CommandError(`queue "${name}" does not exist: deploy the service first (or is it another --stage or --region?)`);
}
