import { describe, expect, it, vi } from 'vitest';
import type { AdminStack } from '../../../../src/serverless/commands/aws/admin-stack.ts';
import { engineSettings } from '../../../../src/serverless/deploying/engine-settings.ts';
import { keepWaitingTasks } from '../../../../src/serverless/deploying/keep-tasks.ts';
import { adminSqs, notCalled, serviceOf, testContext } from '../commands/context.ts';

const queue = (name: string) => ({ Type: 'AWS::SQS::Queue', Properties: { QueueName: name } });
const stackOf = (calls: Partial<AdminStack>): AdminStack => ({
  template: notCalled,
  outputs: notCalled,
  importResources: notCalled,
  destroy() {},
  ...calls,
});

/** A deployed stack with one tasks queue, which holds so many messages. */
function deployed(messages: number, options: Readonly<Record<string, unknown>> = {}) {
  const destroy = vi.fn();
  const stack = stackOf({ template: async () => ({ Resources: { A: queue('shop-tasks-a') } }), destroy });
  const sqs = adminSqs({
    findQueueUrl: async (name) => `https://sqs/1/${name}`,
    attributes: async () => ({ ApproximateNumberOfMessagesNotVisible: String(messages) }),
    destroy,
  });
  const world = testContext({ service: serviceOf({ a: 'a' }), options, openStack: () => stack, openSqs: () => sqs });
  return { ...world, destroy };
}

const next = { Resources: { A: queue('shop-tasks-a.fifo') } };

describe('keepWaitingTasks', () => {
  it('refuses a deployment that deletes tasks, and names queue, number and way out', async () => {
    const { context, destroy } = deployed(2);
    const refused = keepWaitingTasks(context, next);
    await expect(refused).rejects.toThrow('  - shop-tasks-a: 2 messages\n');
    await expect(refused).rejects.toThrow('--durable-drop-tasks');
    expect(destroy).toHaveBeenCalledTimes(2);
  });

  it('lets an empty queue go', async () => {
    await expect(keepWaitingTasks(deployed(0).context, next)).resolves.toBeUndefined();
  });

  it('lets tasks go where that is asked for', async () => {
    await expect(keepWaitingTasks(deployed(2, { 'durable-drop-tasks': true }).context, next)).resolves.toBeUndefined();
  });

  it('warns, and deploys, where it may not look', async () => {
    const template = async () => Promise.reject(new Error('AccessDenied'));
    const { context, terminal } = testContext({
      service: serviceOf({ a: 'a' }),
      openStack: () => stackOf({ template }),
      openSqs: () => adminSqs({}),
    });
    await keepWaitingTasks(context, next);
    expect(terminal.err).toBe('warning: whether this deployment deletes tasks that wait could not be seen: AccessDenied\n');
  });

  it('looks at no stack of AWS for an SQS that stands alone', async () => {
    const { context, terminal } = testContext({
      service: serviceOf({ a: 'a' }),
      env: { AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:9324' },
      openStack: notCalled,
    });
    await keepWaitingTasks(context, next);
    expect(terminal.err).toContain('an SQS outside AWS has no stack');
  });
});

describe('engineSettings', () => {
  it('has a line for each output that the stack has', async () => {
    const outputs = async () => ({ DurablePrefix: 'shop', DurableEnginePolicyArn: 'arn:policy', Other: 'x' });
    const { context } = testContext({ service: serviceOf({ a: 'a' }), openStack: () => stackOf({ outputs }) });
    expect(await engineSettings(context)).toEqual(['prefix: shop', 'policy to attach: arn:policy']);
  });

  it('gives no line where the stack cannot be asked', async () => {
    const refused = stackOf({ outputs: async () => Promise.reject(new Error('no')) });
    const { context } = testContext({ service: serviceOf({ a: 'a' }), openStack: () => refused });
    expect(await engineSettings(context)).toEqual([]);
  });
});
