import { CreateRoleCommand, ListRolePoliciesCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createUser, outputsOf, queueNames, required } from './account.ts';
import { layOut } from './deploy.ts';
import { type Engine, startEngine } from './engine/engine.ts';
import { clientsOf } from './server/clients.ts';

const ROLE = 'order-workers';

const aws = inject('aws');
const clients = clientsOf(aws);
const orders = layOut(aws, 'orders', { 'test/deployed/services/orders': '.' });
const shipping = layOut(aws, 'shipping', { 'test/deployed/services/shipping': '.' });
const policies = async () => ((await clients.iam.send(new ListRolePoliciesCommand({ RoleName: ROLE }))).PolicyNames ?? []).sort();

let engine: Engine;

const order = (step: string, orderId: string) => ({
  workflow: 'one-step' as const,
  runId: `${step} ${orderId}`,
  input: { step, input: { orderId } },
});

beforeAll(async () => {
  const AssumeRolePolicyDocument = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }],
  });
  await clients.iam.send(new CreateRoleCommand({ RoleName: ROLE, Path: '/team/', AssumeRolePolicyDocument }));
  await orders.done(['deploy', '--stage', 'one']);
  await shipping.done(['deploy', '--stage', 'one']);
  await orders.done(['deploy', '--stage', 'two']);
  const stacks = await Promise.all(['orders-one', 'shipping-one'].map((name) => outputsOf(clients, name)));
  const arns = stacks.map((outputs) => required(outputs['DurableEnginePolicyArn'], 'DurableEnginePolicyArn'));
  engine = await startEngine(aws, await createUser(clients, 'shared-engine', arns), { prefix: 'orders-one' });
});

afterAll(async () => {
  await engine?.stop();
  orders.remove();
  shipping.remove();
});

describe("a role of one's own", () => {
  it('gets its rights before the mapping is made, and they are enough', async () => {
    expect(await engine.runs([order('orders.place', '1')])).toMatchObject([{ status: 'completed', output: { placed: '1' } }]);
  });

  it('holds a policy of each service and stage that uses it', async () => {
    expect(await policies()).toHaveLength(3);
  });

  it('keeps the rights of one stage when the other is removed', async () => {
    await orders.done(['remove', '--stage', 'two']);
    expect(await policies()).toHaveLength(2);
    expect(await engine.runs([order('orders.place', '2')])).toMatchObject([{ status: 'completed' }]);
  });
});

describe('a second service', () => {
  it('sends its results to the queue of the first', async () => {
    expect(await engine.runs([order('orders.ship', '1')])).toMatchObject([{ status: 'completed', output: { shipped: '1' } }]);
    expect((await queueNames(clients, 'orders-one')).filter((name) => name.includes('results'))).toEqual([
      'orders-one-results',
      'orders-one-results-dead-letters',
    ]);
  });

  it('has nothing that doctor warns of', async () => {
    const { stdout } = await shipping.done(['durable', 'doctor', '--live', '--stage', 'one', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ findings: [] });
  });
});
