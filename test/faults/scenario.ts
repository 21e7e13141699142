import { setTimeout as sleep } from 'node:timers/promises';
import { EngineInstance } from './engine-instance.ts';
import { type FaultyCloudOptions, judged, startFaultyCloud } from './faulty-cloud.ts';
import { Outsider } from './outsider.ts';
import type { Outcome } from './report.ts';
import { RunWatch } from './run-watch.ts';
import type { Run } from './runs.ts';
import type { Workload } from './workloads.ts';

export interface ScenarioOptions extends FaultyCloudOptions {
  readonly steps: number;
  readonly engines: 1 | 2;
  /** After which an engine sends a turn again. @default never: an operator has to see to it */
  readonly remoteAdvanceSilenceMs?: number | undefined;
}

export const OUTAGE_MS = 4_000;
/** A result that was lost on its way is hidden for 30 s, and may be lost again. */
export const UNTIL_STUCK_MS = 240_000;

/**
 * Real engines, mappings and functions over a bad network, for so many steps; then every run and every repeat is
 * accounted for.
 */
export async function runScenario<Kind extends string>(options: ScenarioOptions, workload: Workload<Kind>): Promise<Outcome> {
  const { seed, steps, engines, remoteAdvanceSilenceMs, name } = options;
  const cloud = await startFaultyCloud(options, workload);
  const { random, ledger, queues, injector, clientConfig, kill, fleet, mappings, store, setDown, phase } = cloud;
  let booted = 0;
  const boot = () => {
    booted += 1;
    const { tasksQueueUrls, resultsQueueUrl } = queues;
    const transport = { taskQueueUrl: (token: string) => tasksQueueUrls.get(token) ?? '', resultsQueueUrl };
    const caller = `engine${booted}`;
    return new EngineInstance({ caller, store, clientConfig, kill, ledger, transport, workload, remoteAdvanceSilenceMs });
  };
  const instances = Array.from({ length: engines }, boot);
  for (const mapping of mappings) mapping.start();

  const runs = workload.makeRuns(name, steps, engines, random);
  const outsider = new Outsider(() => instances, ledger, random);
  const start = (some: readonly Run<Kind>[]) =>
    startRuns(some, instances, (run) => {
      const act = workload.outside(run);
      if (act !== undefined) outsider.soon(run, act);
    });
  const watch = new RunWatch(runs, store, ledger, (caller) => injector.isDead(caller));

  const [first, second, third, fourth] = [share(runs, 0, 0.4), share(runs, 0.4, 0.7), share(runs, 0.7, 0.85), share(runs, 0.85, 1)];
  phase(`${first.length} runs start`);
  await start(first);
  await watch.untilEnded(first, 0.4);
  phase('connections are refused for half a second');
  await injector.refuseFor(500);

  phase(`${second.length} more runs start, and an engine is killed while they do`);
  const starting = start(second);
  await sleep(60);
  instances[0]?.kill();
  await Promise.race([starting, sleep(1_000)]);
  instances[0] = boot();
  phase('its successor boots');
  await instances[0].recover();
  await start(second);
  await watch.untilEnded(second, 0.5);

  phase(`${third.length} more runs start, and the store is down for ${OUTAGE_MS / 1000} s while they are at work`);
  await start(third);
  await watch.untilEnded(third, 0.1);
  setDown(true);
  await sleep(OUTAGE_MS);
  setDown(false);
  for (const instance of instances) await instance.recover();
  injector.hurry();
  phase(`the store is back; ${fourth.length} more runs start`);
  await start(fourth);
  if (workload.killsInTheMiddle) {
    await watch.untilEnded(fourth, 0.1);
    phase('an engine is killed in the middle of them');
    instances[0]?.kill();
    instances[0] = boot();
    await instances[0].recover();
  }
  await Promise.race([outsider.idle(), sleep(UNTIL_STUCK_MS)]);
  const stuck = await watch.untilAllEnded(UNTIL_STUCK_MS, () => instances[0]);
  const seconds = cloud.elapsedSeconds();

  const left = await cloud.comeToRest(stuck, [...queues.tasksQueueUrls.values(), queues.resultsQueueUrl]);
  await Promise.all([...instances.map((instance) => instance.close()), ...mappings.map((mapping) => mapping.stop())]);
  phase('all is closed');
  await cloud.stop();
  const verdicts = await judged(runs, workload, cloud);
  return { name, seed, steps, engines, ledger, fleet, runs, verdicts, seconds, left };
}

export function share<R>(runs: readonly R[], from: number, to: number): readonly R[] {
  return runs.slice(Math.floor(runs.length * from), Math.floor(runs.length * to));
}

/** Starts what has not been started, in turn on all instances. A start on an instance that dies never comes back. */
async function startRuns<R extends Run>(
  runs: readonly R[],
  instances: readonly EngineInstance[],
  onStart: (run: R) => void,
): Promise<void> {
  const start = async (run: R, index: number) => {
    await instances[index % instances.length]?.start(run);
    onStart(run);
  };
  await Promise.all(runs.map(start));
}
