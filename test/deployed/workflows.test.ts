import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createUser, outputsOf, queueNames, required, untilDepth } from './account.ts';
import { layOut } from './deploy.ts';
import { type Engine, startEngine } from './engine/engine.ts';
import { refusals } from './rights/calls.ts';
import { rolesOf } from './rights/roles.ts';
import { clientsOf } from './server/clients.ts';

const STACK = 'workflows-dev';
const USER = 'workflows-engine';

const aws = inject('aws');
const clients = clientsOf(aws);
const service = layOut(aws, 'workflows', { 'test/deployed/services/workflows': '.' });

let engine: Engine;

beforeAll(async () => {
  await service.done(['deploy']);
  const outputs = await outputsOf(clients, STACK);
  const user = await createUser(clients, USER, [required(outputs['DurableEnginePolicyArn'], 'DurableEnginePolicyArn')]);
  engine = await startEngine(aws, user, { prefix: 'workflows', remoteWorkflows: ['orders', 'basket', 'patient', 'doomed'] });
});

afterAll(async () => {
  await engine?.stop();
  service.remove();
});

describe('a service of workflows', () => {
  it('completes 20 runs, with an engine that holds DurableEnginePolicy and none of their code', async () => {
    const order = (index: number) => ({ orderId: `order-${index}`, amounts: [index, index + 1, index + 2] });
    const runs = Array.from({ length: 20 }, (_, index) => ({
      workflow: index % 4 === 0 ? ('basket' as const) : ('orders' as const),
      runId: `run-${index}`,
      input: order(index),
    }));
    const ends = await engine.runs(runs);
    const expected = runs.map(({ workflow, runId, input: { orderId, amounts } }) => {
      const done = { orderId, charged: amounts.map((amount) => amount * 100) };
      return { runId, status: 'completed', output: workflow === 'basket' ? { order: done } : done };
    });
    expect(ends).toMatchObject(expected);
    expect(engine.log()).toBe('');
  });

  it('fails a run whose turns die, and the run that waits for it as its child', async () => {
    const [doomed, patient] = await engine.runs([
      { workflow: 'doomed', runId: 'doomed', input: {} },
      { workflow: 'patient', runId: 'patient', input: {} },
    ]);
    const message = expect.stringContaining('the turn may or may not have run. The task is parked');
    expect(doomed).toMatchObject({ status: 'failed', code: 'dead_letter', message });
    expect(patient).toMatchObject({ status: 'failed', message });
  });

  it('lists the dead turns with their runs', async () => {
    await untilDepth(clients, 'workflows-parked-doomed', { visible: 2 });
    const { stdout } = await service.done(['durable', 'dead-letters', '--step', 'doomed', '--json']);
    const parked: { runId: string; stepId: string; resultSent: boolean }[] = JSON.parse(stdout).steps[0].messages;
    expect(parked.map(({ runId }) => runId).sort()).toEqual(['doomed', 'patient.child.0']);
    for (const { runId, stepId, resultSent } of parked) {
      expect(stepId.startsWith(`${runId}:wf:`)).toBe(true);
      expect(resultSent).toBe(true);
    }
  });

  it('has nothing that doctor --live warns of but the short-lived queue, and nobody who lacks a right', async () => {
    const { findings } = JSON.parse((await service.done(['durable', 'doctor', '--live', '--json'])).stdout);
    expect(findings.filter(({ where }: { where: string }) => !where.includes('doomed'))).toEqual([]);
    expect(refusals(aws, [...(await rolesOf(clients, STACK)).values(), USER])).toEqual([]);
  });

  it('leaves no message behind but the parked ones', async () => {
    for (const name of await queueNames(clients, 'workflows-')) {
      if (!name.includes('-parked-')) await untilDepth(clients, name, { visible: 0, inFlight: 0 });
    }
  });
});
