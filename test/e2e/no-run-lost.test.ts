import { describe, expect, it } from 'vitest';
import { type LocalCloud, localCloud, stepsInARow } from '../support/local-cloud.ts';
import { slowStore } from '../support/slow-store.ts';

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const THREE = ['test.one', 'test.two', 'test.three'];

interface Scenario {
  readonly name: string;
  readonly attach: boolean;
  readonly slow: boolean;
  readonly atOnce: number;
  readonly oneByOne: number;
  /** Sequences side by side. Not attached each run waits out the hold of its first step, which is most of its time. */
  readonly lanes: number;
}

const scenarios: Scenario[] = [
  { name: 'attached, fast store', attach: true, slow: false, atOnce: 2_000, oneByOne: 1_000, lanes: 1 },
  { name: 'attached, slow store', attach: true, slow: true, atOnce: 2_000, oneByOne: 1_000, lanes: 4 },
  { name: 'not attached, fast store', attach: false, slow: false, atOnce: 2_000, oneByOne: 1_000, lanes: 50 },
  { name: 'not attached, slow store', attach: false, slow: true, atOnce: 2_000, oneByOne: 1_000, lanes: 50 },
];

describe.each(scenarios)(`no run is lost: $name (seed ${SEED})`, ({ attach, slow, atOnce, oneByOne, lanes }) => {
  const open = () => localCloud({ attach, ...(slow ? { store: slowStore(SEED) } : {}) });

  it(`${atOnce} one-step runs started at once`, async () => {
    const cloud = await open();
    // Half of the runs wait for their step in memory: strict ordering would deadlock these.
    cloud.engine.register('durable', '1', stepsInARow(['test.one']));
    cloud.engine.register('in-memory', '1', stepsInARow(['test.one'], 120_000));
    cloud.startWorkers();
    const runIds = Array.from({ length: atOnce }, (_, index) => `${index % 2 ? 'm' : 'd'}-${index}`);

    await Promise.all(runIds.map((runId) => run(cloud, runId)));

    await expectAllCompletedOnce(cloud, runIds, 1);
    await cloud.close();
  });

  it(`${oneByOne} three-step runs one after the other`, async () => {
    const cloud = await open();
    cloud.engine.register('durable', '1', stepsInARow(THREE));
    cloud.engine.register('in-memory', '1', stepsInARow(THREE, 120_000));
    cloud.startWorkers();
    const runIds = Array.from({ length: oneByOne }, (_, index) => `${index % 2 ? 'm' : 'd'}-${index}`);

    const lane = async (first: number) => {
      for (let index = first; index < runIds.length; index += lanes) await run(cloud, runIds[index] ?? '');
    };
    await Promise.all(Array.from({ length: lanes }, (_, first) => lane(first)));

    await expectAllCompletedOnce(cloud, runIds, 3);
    await cloud.close();
  });

  it('runs that fan out ten steps', async () => {
    const cloud = await open();
    cloud.engine.register('durable', '1', (ctx) => Promise.all(Array.from({ length: 10 }, (_, index) => ctx.step('test.two', index))));
    cloud.startWorkers();
    const runIds = Array.from({ length: 50 }, (_, index) => `d-${index}`);

    await Promise.all(runIds.map((runId) => run(cloud, runId)));

    await expectAllCompletedOnce(cloud, runIds, 10);
    await cloud.close();
  });
});

async function run({ engine }: LocalCloud, runId: string): Promise<void> {
  await engine.start(runId.startsWith('m') ? 'in-memory' : 'durable', { runId }, runId);
  await engine.waitForRun(runId, { until: 'terminal', timeoutMs: 240_000 });
}

/** After the engine has come to rest: a late write of an earlier turn is what leaves a completed run `suspended`. */
async function expectAllCompletedOnce({ engine, store, runsOfStep }: LocalCloud, runIds: readonly string[], steps: number): Promise<void> {
  await engine.drain(60_000);
  const statuses = await Promise.all(runIds.map(async (runId) => (await store.getRun(runId))?.status));
  expect(count(statuses)).toEqual({ completed: runIds.length });
  expect(count([...runsOfStep.values()].map((runs) => `ran ${runs}×`))).toEqual({ 'ran 1×': runIds.length * steps });
}

function count(values: readonly (string | undefined)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1;
  return counts;
}
