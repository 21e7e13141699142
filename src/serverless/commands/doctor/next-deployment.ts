import { type LeavingQueue, leavingTasks, WHY_QUEUES_LEAVE } from '../../deploying/waiting-tasks.ts';
import { queuePlan } from '../../queue-plan.ts';
import { openSqs, openStack } from '../aws/connect.ts';
import { messageOf } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { counted } from '../output/text.ts';
import type { Facts } from './facts.ts';
import type { Finding } from './finding.ts';

/** What the packaged template would delete of what is deployed. Nothing where there is no stack to compare with. */
export async function nextDeployment(
  context: CommandContext,
  packaged: Facts,
): Promise<{ readonly findings: readonly Finding[]; readonly problem?: string }> {
  const next = new Map(packaged.queues.map(({ id, name }) => [id, name]));
  const own = new Set(queuePlan(context.service()).map(({ name }) => name));
  // A template that was packaged for another stage says nothing of this one.
  if (![...next.values()].some((name) => name !== undefined && own.has(name))) return { findings: [] };
  const connection = openStack(context);
  if ('none' in connection) return { findings: [] };
  const sqs = openSqs(context);
  try {
    return { findings: (await leavingTasks(connection.stack, sqs, next)).map(deletedWithTasks) };
  } catch (error) {
    return { findings: [], problem: messageOf(error) };
  } finally {
    sqs.destroy();
    connection.stack.destroy();
  }
}

function deletedWithTasks({ name, messages }: LeavingQueue): Finding {
  return {
    id: 'deploy-deletes-tasks',
    severity: 'warning',
    where: `live: ${name}`,
    why: `it holds ${counted(messages, 'message')}, and the packaged template has no such queue: ${WHY_QUEUES_LEAVE}`,
    fix: 'let the queue run empty first; until then "serverless deploy" refuses to delete it',
  };
}
