import { kindOfQueueName } from '../../topology/queue-kinds.ts';
import type { Template, TemplateResource } from '../framework.ts';

/**
 * Names of the tasks queues that a deployment deletes: those of steps that have gone, and those that get another name.
 * A queue's name, and whether it is FIFO, cannot be changed: CloudFormation makes a new queue and deletes the old one,
 * with the tasks in it.
 * @param nextNames names of the queues of the template that is to be deployed, by logical id
 */
export function leavingTasksQueues(deployed: Template, nextNames: ReadonlyMap<string, string | undefined>): string[] {
  return [...queueNames(deployed)].flatMap(([id, name]) => {
    if (kindOfQueueName(name) !== 'tasks' || staysBehind(deployed.Resources[id])) return [];
    return nextNames.get(id) === name ? [] : [name];
  });
}

/** Names of the queues of a template, by logical id. */
export function queueNames({ Resources }: Template): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(Resources).flatMap(([id, { Type, Properties }]): [string, string][] => {
      const name = Type === 'AWS::SQS::Queue' ? Properties?.['QueueName'] : undefined;
      return typeof name === 'string' ? [[id, name]] : [];
    }),
  );
}

/** Whether CloudFormation leaves the queue alone when it leaves the stack. */
function staysBehind(resource: TemplateResource | undefined): boolean {
  const policy = resource?.DeletionPolicy;
  return policy !== undefined && policy !== 'Delete';
}
