import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import type { RunStatus } from '@dudousxd/nestjs-durable-core';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { type OpenedStore, openStore } from '../postgres/database/open-store.mjs';
import { type PostgresServer, startPostgres } from '../postgres/postgres-server.ts';
import { outputsOf, queueUrlOf, required, untilDepth } from './account.ts';
import { layOut } from './deploy.ts';
import { killOne } from './function-processes.ts';
import { refusals } from './rights/calls.ts';
import { neverAllowed, notRefused, receiveAndDelete, send } from './rights/forbidden.ts';
import { rolesOf, sessionOf } from './rights/roles.ts';
import { clientsOf } from './server/clients.ts';
import type { Order } from './services/engine/engine.ts';

const STACK = 'engine-dev';
const RUNS = 200;
/** As serverless.yml has them. */
const SETTINGS = '{ maximumConcurrency: 3, batchSize: 5 }';
/** One function starts so many in an invocation. */
const STARTS = 20;
/** While runs are under way, and some of those that were started last have not begun. */
const KILLS = 30;
const UNDER_WAY: readonly RunStatus[] = ['pending', 'running', 'suspended'];
const QUEUES = ['engine-dev-results', 'engine-dev-start-run', 'engine-dev-wake-ups'];

const aws = inject('aws');
const clients = clientsOf(aws);
const service = layOut(aws, 'engine', { 'test/deployed/services/engine': '.' });

let postgres: PostgresServer;
let opened: OpenedStore;

beforeAll(async () => {
  postgres = await startPostgres();
  const database = await postgres.createDatabase('engine');
  // Makes the tables: environments that open side by side would all do so.
  opened = await openStore({ ...database, connections: 2 });
  service.edit('DATABASE: none', `DATABASE: '${JSON.stringify(database)}'`);
  const reference = join(service.folder, 'open-store.ts');
  writeFileSync(reference, readFileSync(reference, 'utf8').replace('../../../postgres/', '../../../test/postgres/'));
  await service.done(['deploy', '--stage', 'dev']);
});

afterAll(async () => {
  await opened?.close();
  await postgres?.stop();
  service.remove();
});

function ordersOf(name: string, count: number): Order[] {
  return Array.from({ length: count }, (_, index) => ({ orderId: `${name}-${index}`, parcels: 3 }));
}

/**
 * Has a function of the service start runs by messages. It may be killed, and is asked again then: its runs are the
 * same.
 */
async function begin(orders: readonly Order[]): Promise<void> {
  const invocation = new InvokeCommand({ FunctionName: `${STACK}-begin`, Payload: JSON.stringify({ orders }) });
  await vi.waitFor(
    async () => {
      const { Payload, FunctionError } = await clients.lambda.send(invocation);
      if (FunctionError !== undefined) throw new Error(`begin failed: ${Buffer.from(Payload ?? []).toString()}`);
    },
    { timeout: 60_000, interval: 200 },
  );
}

/** How the runs ended, by what the database says: no process of an engine is there to be asked. */
async function ends(orders: readonly Order[], timeoutMs: number) {
  const all = () => Promise.all(orders.map(({ orderId }) => opened.store.getRun(orderId)));
  await vi.waitFor(
    async () => {
      const open = (await all()).filter((run) => run === null || UNDER_WAY.includes(run.status));
      if (open.length > 0) throw new Error(`${open.length} of ${orders.length} runs are not over, ${JSON.stringify(open[0])}`);
    },
    { timeout: timeoutMs, interval: 500 },
  );
  return (await all()).map((run) => ({ status: run?.status, output: run?.output }));
}

function expectedEnds(orders: readonly Order[]) {
  return orders.map(({ orderId }) => ({
    status: 'completed',
    output: {
      payment: { charged: orderId },
      packed: [0, 1, 2].map((index) => ({ packed: `${orderId}/${index}` })),
      label: { packed: `label of ${orderId}` },
    },
  }));
}

/** No process is an engine here but the functions that Lambda invokes. */
describe('a service whose engine is a function', () => {
  it('completes a run that a message has started', async () => {
    const orders = ordersOf('first', 1);
    await begin(orders);
    expect(await ends(orders, 60_000)).toEqual(expectedEnds(orders));
  });

  it('begins a run of which no message is left, by the tick of its schedule', async () => {
    // As from an engine that was killed before it began: no message stands for this run.
    const now = new Date();
    await opened.store.createRun({
      id: 'forgotten',
      workflow: 'label',
      workflowVersion: '1',
      status: 'pending',
      input: 'x',
      createdAt: now,
      updatedAt: now,
    });
    await vi.waitFor(async () => expect((await opened.store.getRun('forgotten'))?.status).toBe('completed'), {
      timeout: 120_000,
      interval: 500,
    });
  });

  it('completes 200 of 200 runs while 30 of its processes are killed at random', async () => {
    const orders = ordersOf('killed', RUNS);
    const killing = killed(KILLS);
    for (let from = 0; from < RUNS; from += STARTS) await begin(orders.slice(from, from + STARTS));
    expect(await ends(orders, 540_000)).toEqual(expectedEnds(orders));
    expect(await killing).toBe(KILLS);
  }, 600_000);

  it('leaves no message behind, and had every right that it asked for', async () => {
    // What waited for the lease of a killed process until its invocation was over comes back after 30 s, and each time
    // after twice as long.
    for (const name of QUEUES) await untilDepth(clients, name, { visible: 0, inFlight: 0 }, 300_000);
    expect(refusals(aws, [...(await rolesOf(clients, STACK)).values()])).toEqual([]);
  }, 400_000);

  it('has nothing that doctor --live --strict warns of', async () => {
    const { stdout } = await service.done(['durable', 'doctor', '--live', '--strict', '--stage', 'dev', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ findings: [], notes: [] });
  });

  it('lets the engine reach its queues and those of its tasks, and nothing else', async () => {
    const urls = async (...names: string[]) =>
      Promise.all(names.map(async (name) => required(await queueUrlOf(clients, name), `a queue ${name}`)));
    const tasks = await urls('engine-dev-tasks-orders--charge', 'engine-dev-tasks-orders--pack');
    const others = await urls('engine-dev-dead-letters-orders--pack', 'engine-dev-parked-orders--pack', 'engine-dev-results-dead-letters');
    const own = await urls(...QUEUES);
    const bucket = (await outputsOf(clients, STACK))['ServerlessDeploymentBucketName'];
    const role = required((await rolesOf(clients, STACK)).get('DurableFunctionRoleEngine'), 'the role of the engine');
    const as = clientsOf(aws, await sessionOf(clients, aws, role));
    expect(
      await notRefused({
        ...neverAllowed(as, [...tasks, ...others, ...own], required(bucket, 'the bucket of the deployments')),
        ...receiveAndDelete(as, [...tasks, ...others]),
        ...send(as, [...others, required(own[0], 'the results queue')]),
      }),
    ).toEqual([]);
  });

  it('leaves what comes to an engine that is turned off, and handles it with other settings when it is on again', async () => {
    service.edit(SETTINGS, '{ enabled: false }');
    await service.done(['deploy', '--stage', 'dev']);
    const orders = ordersOf('late', 1);
    await begin(orders);
    const { stdout } = await service.sls(['durable', 'doctor', '--live', '--stage', 'dev', '--json']);
    const { findings }: { findings: { id: string }[] } = JSON.parse(stdout);
    expect([...new Set(findings.map(({ id }) => id))].sort()).toEqual(['mapping-disabled', 'tick-disabled']);
    await untilDepth(clients, 'engine-dev-start-run', { visible: 1 });

    service.edit('{ enabled: false }', '{ maximumConcurrency: 2, batchSize: 10, tickMinutes: 2 }');
    await service.done(['deploy', '--stage', 'dev']);
    expect(await ends(orders, 60_000)).toEqual(expectedEnds(orders));
  });
});

async function killed(count: number): Promise<number> {
  let kills = 0;
  while (kills < count) {
    await pause(500 + Math.random() * 1_000);
    if (killOne(STACK, Math.random)) kills += 1;
  }
  return kills;
}
