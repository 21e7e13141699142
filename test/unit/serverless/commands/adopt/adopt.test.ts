import { describe, expect, it } from 'vitest';
import { adoptCommand } from '../../../../../src/serverless/commands/adopt/command.ts';
import type { AdminStack } from '../../../../../src/serverless/commands/aws/admin-stack.ts';
import type { Template } from '../../../../../src/serverless/framework.ts';
import { readDurableService } from '../../../../../src/serverless/read-service.ts';
import { queueLogicalId } from '../../../../../src/serverless/resources/logical-ids.ts';
import { adminSqs, notCalled, testContext } from '../context.ts';

const parked = queueLogicalId({ kind: 'parked', token: 'pay' });
const KEY = 'arn:aws:kms:eu-central-1:1:key/abc';

/** Runs the command where these queues exist and the stack holds this; gives what was imported. */
async function adopt(existing: Readonly<Record<string, Record<string, string>>>, deployed?: Template, durable: object = {}) {
  const imports: Parameters<AdminStack['importResources']>[] = [];
  const stack: AdminStack = {
    template: async () => deployed,
    outputs: notCalled,
    importResources: async (...call) => void imports.push(call),
    destroy() {},
  };
  const sqs = adminSqs({
    findQueueUrl: async (name) => (name in existing ? `https://sqs/1/${name}` : undefined),
    attributes: async (url) => existing[url.slice(url.lastIndexOf('/') + 1)] ?? {},
  });
  const service = readDurableService({
    custom: { durable: { prefix: 'shop', ...durable } },
    provider: { runtime: 'nodejs24.x', timeout: 30 },
    functions: { pay: { handler: 'pay.handler', events: [{ durableStep: 'pay' }] } },
  });
  const { context, terminal } = testContext({ service, openStack: () => stack, openSqs: () => sqs });
  await adoptCommand.run(context);
  return { imports, ...terminal };
}

describe('sls durable adopt', () => {
  it('imports what exists and is kept, each with its name alone, into a stack of its own', async () => {
    const { imports, out, err } = await adopt({
      'shop-parked-pay': { ApproximateNumberOfMessages: '3' },
      'shop-results': {},
      // Goes with its stack, so it is never left behind.
      'shop-tasks-pay': {},
    });
    const retained = { DeletionPolicy: 'RetainExceptOnCreate', UpdateReplacePolicy: 'Retain' };
    expect(imports).toHaveLength(1);
    const [[template, resources] = []] = imports;
    expect(template?.Resources).toEqual({
      DurableResultsQueue: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'shop-results' }, ...retained },
      [parked]: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'shop-parked-pay' }, ...retained },
    });
    expect(resources).toContainEqual({
      ResourceType: 'AWS::SQS::Queue',
      LogicalResourceId: parked,
      ResourceIdentifier: { QueueUrl: 'https://sqs/1/shop-parked-pay' },
    });
    expect(out).toContain('shop-parked-pay: 3 messages\n');
    expect(err).toContain('2 queues adopted by stack shop-dev');
  });

  it('keeps what the stack holds already', async () => {
    const deployed: Template = { Resources: { Other: { Type: 'AWS::S3::Bucket' } }, Outputs: { A: {} } };
    const { imports } = await adopt({ 'shop-parked-pay': {} }, deployed);
    expect(imports[0]?.[0]).toMatchObject({ Resources: { Other: { Type: 'AWS::S3::Bucket' } }, Outputs: { A: {} } });
    expect(Object.keys(imports[0]?.[0].Resources ?? {})).toEqual(['Other', parked]);
  });

  it('imports the key of the service with its queues', async () => {
    const { imports } = await adopt({ 'shop-parked-pay': { KmsMasterKeyId: KEY } }, undefined, { kmsKey: true });
    expect(imports[0]?.[1]).toContainEqual({
      ResourceType: 'AWS::KMS::Key',
      LogicalResourceId: 'DurableKey',
      ResourceIdentifier: { KeyId: 'abc' },
    });
  });

  it('imports nothing where every queue is in the stack', async () => {
    const deployed: Template = { Resources: { [parked]: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'shop-parked-pay' } } } };
    const { imports, err } = await adopt({ 'shop-parked-pay': {} }, deployed);
    expect(imports).toEqual([]);
    expect(err).toContain('nothing to adopt');
  });

  it('refuses a queue whose place in the stack is taken', async () => {
    const fifo: Template = { Resources: { [parked]: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'shop-parked-pay.fifo' } } } };
    await expect(adopt({ 'shop-parked-pay': {} }, fifo)).rejects.toThrow('has another queue in the place of "shop-parked-pay"');
  });
});
