import { randomUUID } from 'node:crypto';
import { CONNECTION_OPTIONS, openSqs } from '../aws/connect.ts';
import { missingQueue } from '../aws/missing-queue.ts';
import type { Command } from '../command.ts';
import { MESSAGE_OPTIONS, requestedMessages } from '../messages/options.ts';
import { flagOption } from '../options.ts';
import { counted } from '../output/text.ts';

/** `sls durable send`: puts tasks, turns of a workflow or starts of runs on their queue. */
export const sendCommand: Command = {
  usage: 'Put a task of a step, or a start of a run, on its queue',
  options: { ...MESSAGE_OPTIONS, ...CONNECTION_OPTIONS },

  async run(context) {
    const { queueName, fifo, messages } = requestedMessages(context, () => `sent-${randomUUID()}`);
    const sqs = openSqs(context);
    try {
      const QueueUrl = await sqs.findQueueUrl(queueName);
      if (QueueUrl === undefined) throw missingQueue(queueName);
      await Promise.all(
        messages.map(({ body, groupId }) =>
          sqs.send({
            QueueUrl,
            MessageBody: body,
            ...(groupId === undefined ? {} : { MessageGroupId: groupId }),
            ...(fifo ? { MessageDeduplicationId: randomUUID() } : {}),
          }),
        ),
      );
    } finally {
      sqs.destroy();
    }
    const runIds = messages.map(({ runId }) => runId);
    if (flagOption(context.options, 'json')) {
      context.write(`${JSON.stringify({ queue: queueName, runIds }, undefined, 2)}\n`);
      return;
    }
    const [first, last] = [runIds[0], runIds.at(-1)];
    const runs = runIds.length === 1 ? `run ${first}` : `runs ${first} to ${last}`;
    context.write(`${queueName}: ${counted(runIds.length, 'message')} sent, ${runs}\n`);
  },
};
