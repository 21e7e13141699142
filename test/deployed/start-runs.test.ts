import { InvokeCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { createUser, outputsOf, required, sendTo, untilDepth } from './account.ts';
import { layOut } from './deploy.ts';
import { type Engine, startEngine } from './engine/engine.ts';
import { refusals, wasAsked } from './rights/calls.ts';
import { rolesOf } from './rights/roles.ts';
import { clientsOf } from './server/clients.ts';

const STACK = 'starts-dev';
const QUEUE = 'starts-dev-start-run';
const RUNS = 20;

const aws = inject('aws');
const clients = clientsOf(aws);
const service = layOut(aws, 'starts', { 'test/deployed/services/starts': '.' });

let engine: Engine;

beforeAll(async () => {
  await service.done(['deploy', '--stage', 'dev']);
  const arn = required((await outputsOf(clients, STACK))['DurableEnginePolicyArn'], 'DurableEnginePolicyArn');
  engine = await startEngine(aws, await createUser(clients, 'starts-engine', [arn]), { prefix: 'starts-dev', startRuns: true });
});

afterAll(async () => {
  await engine?.stop();
  service.remove();
});

async function invoke(payload: object): Promise<unknown> {
  const FunctionName = `${STACK}-begin`;
  const { Payload, FunctionError } = await clients.lambda.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(payload) }));
  const text = Buffer.from(Payload ?? []).toString();
  if (FunctionError !== undefined) throw new Error(`${FunctionName} failed: ${text}`);
  return JSON.parse(text);
}

describe('a deployed function that starts runs', () => {
  it(`starts ${RUNS} runs, each of which it asks for twice, and an engine runs them`, async () => {
    const orders = Array.from({ length: RUNS }, (_, index) => ({ orderId: String(index) }));
    const runIds = orders.map(({ orderId }) => `order-${orderId}`);
    expect(await invoke({ orders })).toEqual([...runIds, ...runIds].map((runId) => ({ runId })));
    const ends = await engine.ends(runIds);
    expect(ends).toEqual(orders.map(({ orderId }) => expect.objectContaining({ status: 'completed', output: { placed: orderId } })));
    await untilDepth(clients, QUEUE, { visible: 0, inFlight: 0 });
  });

  it('holds the right to send to the start queue, and was refused nothing', async () => {
    const roles = await rolesOf(clients, STACK);
    const name = required(roles.get('DurableFunctionRoleBegin'), 'the role of begin');
    const resource = `arn:aws:sqs:${aws.region}:${aws.accountId}:${QUEUE}`;
    const right = { holder: { kind: 'role' as const, name }, action: 'sqs:SendMessage', resource };
    expect(wasAsked(right, aws, 'allowed')).toBe(true);
    expect(refusals(aws, [...roles.values(), 'starts-engine'])).toEqual([]);
  });

  it('runs what "sls durable send" starts, and what it sends to a step shows in "sls durable logs"', async () => {
    const input = { orderId: 'sent' };
    const durable = (...args: readonly string[]) => service.done(['durable', ...args, '--stage', 'dev']);
    await durable('send', '--start', 'one-step', '--input', JSON.stringify({ step: 'orders.place', input }), '--run-id', 'sent-start');
    expect(await engine.ends(['sent-start'])).toMatchObject([{ status: 'completed', output: { placed: 'sent' } }]);

    const { stdout } = await durable('send', '--step', 'orders.place', '--input', JSON.stringify(input), '--run-id', 'sent-task');
    expect(stdout).toContain('starts-dev-tasks-orders--place: 1 message sent, run sent-task');
    await vi.waitFor(
      async () => {
        const { stdout: lines } = await durable('logs', '--step', 'orders.place', '--run-id', 'sent-task', '--json');
        expect(JSON.parse(lines)).toMatchObject({ function: 'place', level: 'info', message: 'step completed', stepId: 'sent-task:0' });
      },
      { timeout: 60_000, interval: 1_000 },
    );
    const { stdout: all } = await durable('logs');
    expect(all).toContain('place  info  step completed  step=orders.place  runId=sent-start');
  });

  it('leaves no trace of a start that is none, but its message and a line in the log of the engine', async () => {
    await sendTo(clients, QUEUE, '{"input":"card 4111"}');
    await untilDepth(clients, QUEUE, { inFlight: 1 });
    expect(engine.log()).toContain('message is not a StartRunMessage; left for the dead-letter queue');
    expect(engine.log()).not.toContain('4111');
  });

  it('stands in a service that doctor finds nothing wrong with', async () => {
    const { stdout } = await service.done(['durable', 'doctor', '--live', '--stage', 'dev', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ findings: [] });
  });
});
