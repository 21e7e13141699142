import type { AdminSqs } from '../commands/aws/admin-sqs.ts';
import type { AdminStack } from '../commands/aws/admin-stack.ts';
import { findQueue, messagesIn } from '../commands/aws/queue-depth.ts';
import { leavingTasksQueues } from './leaving-queues.ts';

/** A tasks queue that holds messages, and that the next deployment deletes. */
export interface LeavingQueue {
  readonly name: string;
  readonly messages: number;
}

/** What a change of steps, prefix or `fifo` costs, and what may be done about it. */
export const WHY_QUEUES_LEAVE = 'a step that is removed, or gets another prefix, namespace, name or fifo, gets another queue';

/** @param nextNames names of the queues of the template that is to be deployed, by logical id */
export async function leavingTasks(
  stack: AdminStack,
  sqs: AdminSqs,
  nextNames: ReadonlyMap<string, string | undefined>,
): Promise<LeavingQueue[]> {
  const deployed = await stack.template();
  const names = deployed === undefined ? [] : leavingTasksQueues(deployed, nextNames);
  const queues = await Promise.all(names.map(async (name) => ({ name, found: await findQueue(sqs, name) })));
  return queues
    .map(({ name, found }) => ({ name, messages: found === undefined ? 0 : messagesIn(found.depth) }))
    .filter(({ messages }) => messages > 0);
}
