import { describe, expect, it } from 'vitest';
import { leavingTasksQueues, queueNames } from '../../../../src/serverless/deploying/leaving-queues.ts';
import type { Template, TemplateResource } from '../../../../src/serverless/framework.ts';

const queue = (name: unknown, more: Partial<TemplateResource> = {}): TemplateResource => ({
  Type: 'AWS::SQS::Queue',
  Properties: { QueueName: name },
  ...more,
});
const template = (Resources: Template['Resources']): Template => ({ Resources });
const leaving = (deployed: Template['Resources'], next: Template['Resources']) =>
  leavingTasksQueues(template(deployed), queueNames(template(next)));

describe('leavingTasksQueues', () => {
  it('names the queue of a removed step', () => {
    expect(leaving({ A: queue('shop-tasks-a'), B: queue('shop-tasks-b') }, { B: queue('shop-tasks-b') })).toEqual(['shop-tasks-a']);
  });

  it('names a queue that gets another name: another prefix, or FIFO', () => {
    const deployed = { A: queue('shop-tasks-a'), B: queue('shop-tasks-b') };
    expect(leaving(deployed, { A: queue('store-tasks-a'), B: queue('shop-tasks-b.fifo') })).toEqual(['shop-tasks-a', 'shop-tasks-b']);
  });

  it('leaves out what stays: the same queue, one that is retained, dead letters, queues of others', () => {
    const deployed = {
      A: queue('shop-tasks-a'),
      B: queue('shop-tasks-b', { DeletionPolicy: 'Retain' }),
      C: queue('shop-parked-c'),
      D: queue('mails'),
      E: queue({ 'Fn::Sub': 'shop-tasks-e' }),
      F: { Type: 'AWS::Lambda::Function', Properties: { QueueName: 'shop-tasks-f' } },
    };
    expect(leaving(deployed, { A: queue('shop-tasks-a', { Properties: { QueueName: 'shop-tasks-a', VisibilityTimeout: 1 } }) })).toEqual(
      [],
    );
  });
});
