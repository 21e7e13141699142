import type { SendMessageCommandInput } from '@aws-sdk/client-sqs';
import { describe, expect, it } from 'vitest';
import { sendCommand } from '../../../../../src/serverless/commands/send/command.ts';
import { decodeRemoteTask } from '../../../../../src/wire/remote-task.ts';
import { decodeStartRun } from '../../../../../src/wire/start-run.ts';
import { adminSqs, serviceOf, testContext } from '../context.ts';

const service = serviceOf({ pay: 'pay', ship: { name: 'ship', fifo: true } }, { startRuns: true, containerSteps: ['render'] });

/** Runs the command on an account that has every queue, or all but one. */
async function send(options: Record<string, unknown>, missing?: string) {
  const sent: SendMessageCommandInput[] = [];
  let open = 0;
  const sqs = adminSqs({
    findQueueUrl: async (name) => (name === missing ? undefined : `https://sqs.eu-central-1.amazonaws.com/1/${name}`),
    send: async (message) => void sent.push(message),
    destroy: () => {
      open -= 1;
    },
  });
  const openSqs = () => {
    open += 1;
    return sqs;
  };
  const { context, terminal } = testContext({ service, options, openSqs });
  await sendCommand.run(context).finally(() => expect(open).toBe(0));
  return { sent, terminal };
}

describe('sls durable send', () => {
  it('puts the task that the engine would send on the queue of its step', async () => {
    const { sent, terminal } = await send({ step: 'pay', input: '{"amount":1}', 'run-id': 'r', attempt: '2' });
    expect(sent).toEqual([{ QueueUrl: 'https://sqs.eu-central-1.amazonaws.com/1/shop-tasks-pay', MessageBody: expect.any(String) }]);
    expect(decodeRemoteTask(sent[0]?.MessageBody ?? '')).toMatchObject({ runId: 'r', stepId: 'r:0', input: { amount: 1 }, attempt: 2 });
    expect(terminal.out).toBe('shop-tasks-pay: 1 message sent, run r\n');
  });

  it('gives each message of a FIFO queue the group of its run, and a deduplication id of its own', async () => {
    const { sent, terminal } = await send({ step: 'ship', input: '1', 'run-id': 'r', count: '3' });
    expect(sent.map(({ MessageGroupId }) => MessageGroupId)).toEqual(['r-1', 'r-2', 'r-3']);
    expect(new Set(sent.map(({ MessageDeduplicationId }) => MessageDeduplicationId)).size).toBe(3);
    expect(terminal.out).toBe('shop-tasks-ship.fifo: 3 messages sent, runs r-1 to r-3\n');
  });

  it('starts a run of a workflow', async () => {
    const { sent, terminal } = await send({ start: 'checkout', input: '{"orderId":"o-1"}', 'run-id': 'order-1', json: true });
    expect(sent[0]?.QueueUrl).toMatch(/\/shop-start-run$/);
    expect(decodeStartRun(sent[0]?.MessageBody ?? '')).toMatchObject({ workflow: 'checkout', runId: 'order-1' });
    expect(JSON.parse(terminal.out)).toEqual({ queue: 'shop-start-run', runIds: ['order-1'] });
  });

  it('sends to the queue of a step that a container serves', async () => {
    const { sent } = await send({ step: 'render', input: '{}' });
    expect(sent[0]?.QueueUrl).toMatch(/\/shop-tasks-render$/);
  });

  it('names a queue that does not exist', async () => {
    await expect(send({ step: 'pay', input: '{}' }, 'shop-tasks-pay')).rejects.toThrow('queue "shop-tasks-pay" does not exist: deploy');
  });

  it('refuses a task without an input, and a command without a step', async () => {
    await expect(send({ step: 'pay' })).rejects.toThrow('expected --input \'{"…"}\' or --input-file, the input as JSON');
    await expect(send({ input: '{}' })).rejects.toThrow('expected --step, the name of a step or a workflow, or --start');
  });
});
