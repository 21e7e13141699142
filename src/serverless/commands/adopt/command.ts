import { QUEUES } from '../../../topology/queue-kinds.ts';
import { ownQueuePlan } from '../../queue-plan.ts';
import { queueLogicalId } from '../../resources/logical-ids.ts';
import type { AdminSqs } from '../aws/admin-sqs.ts';
import { openSqs, openStack } from '../aws/connect.ts';
import { messagesIn, queueDepth } from '../aws/queue-depth.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { flagOption } from '../options.ts';
import { counted } from '../output/text.ts';
import { importOf, type KeptQueue } from './import-template.ts';

/**
 * `sls durable adopt`: takes queues that an earlier stack or a removed step has left behind into the stack, with the
 * messages in them. Without it a deployment fails with `already exists`.
 */
export const adoptCommand: Command = {
  usage: 'Take kept queues back into the stack, with their messages: after "serverless remove", or the removal of a step',
  options: {},

  async run(context) {
    const connection = openStack(context);
    if ('none' in connection) throw new CommandError(connection.none);
    const { stack } = connection;
    const sqs = openSqs(context);
    try {
      const deployment = context.service();
      const deployed = await stack.template();
      const outside = ownQueuePlan(deployment).filter(
        (queue) => QUEUES[queue.kind].outlivesStack && deployed?.Resources[queueLogicalId(queue)]?.Properties?.['QueueName'] !== queue.name,
      );
      const found = await Promise.all(outside.map(async (queue) => ({ queue, found: await look(sqs, queue.name) })));
      const kept = found.flatMap(({ queue, found: live }) => (live === undefined ? [] : [{ queue, ...live }]));
      const taken = kept.find(({ queue }) => deployed?.Resources[queueLogicalId(queue)] !== undefined);
      if (taken !== undefined) {
        const { name } = taken.queue;
        throw new CommandError(
          `stack ${context.stackName} has another queue in the place of "${name}", as after a change of prefix or fifo: change it back, ` +
            'or remove the service first',
        );
      }
      if (kept.length > 0) {
        const { template, resources } = importOf(kept, deployment, deployed);
        await stack.importResources(template, resources);
      }
      if (flagOption(context.options, 'json')) {
        context.write(
          `${JSON.stringify(
            kept.map(({ queue: { name }, url, messages }) => ({ name, url, messages })),
            undefined,
            2,
          )}\n`,
        );
        return;
      }
      for (const { queue, messages } of kept) context.write(`${queue.name}: ${counted(messages, 'message')}\n`);
      context.writeError(
        kept.length === 0
          ? `nothing to adopt: every queue of the service is in stack ${context.stackName}, or does not exist\n`
          : `${counted(kept.length, 'queue')} adopted by stack ${context.stackName}; "serverless deploy" brings the rest of the service\n`,
      );
    } finally {
      sqs.destroy();
      stack.destroy();
    }
  },
};

async function look(sqs: AdminSqs, name: string): Promise<(Omit<KeptQueue, 'queue'> & { readonly messages: number }) | undefined> {
  const url = await sqs.findQueueUrl(name);
  if (url === undefined) return undefined;
  const attributes = await sqs.attributes(url);
  const key = attributes['KmsMasterKeyId'];
  return { url, keyArn: key === undefined || key === '' ? undefined : key, messages: messagesIn(queueDepth(attributes)) };
}
