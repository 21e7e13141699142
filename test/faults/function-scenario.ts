import { setTimeout as sleep } from 'node:timers/promises';
import { runStarter } from '../../src/client/index.ts';
import { LocalEventSourceMapping } from '../../src/local/index.ts';
import { createEngineQueues } from '../support/engine-queues.ts';
import { silentLogger } from '../support/local-cloud.ts';
import { judged, startFaultyCloud } from './faulty-cloud.ts';
import { FunctionEnvironments } from './function-environments.ts';
import type { Outcome } from './report.ts';
import { RunWatch } from './run-watch.ts';
import type { Run } from './runs.ts';
import { OUTAGE_MS, type ScenarioOptions, share } from './scenario.ts';
import type { Workload } from './workloads.ts';

/** A fifth of the invocations. */
const KILL_RATE = 0.2;
/**
 * Far more than an invocation takes on a busy machine: what runs out of time is given back for half a minute, and then
 * for longer.
 */
const TIMEOUT_MS = 15_000;
/** A minute in life. */
const TICK_EVERY_MS = 2_000;
/** Nothing heals later: a lease, a tick, a look, a send again, and each of them may die. */
const UNTIL_STUCK_MS = 180_000;
/** Invocations side by side, by queue. */
const CONCURRENCY = [6, 2, 2];

/**
 * The engine as a function, over a bad network, with environments that die: nobody but the tick sees to what they leave
 * behind.
 */
export async function runFunctionScenario<Kind extends string>(options: ScenarioOptions, workload: Workload<Kind>): Promise<Outcome> {
  const { seed, steps, engines, name, rate } = options;
  const cloud = await startFaultyCloud(options, workload);
  const { random, ledger, queues, client, injector, clientConfig, kill, fleet, mappings, store, setDown, phase } = cloud;
  const sources = await createEngineQueues(client, {
    prefix: name,
    resultsQueueUrl: queues.resultsQueueUrl,
    visibilitySeconds: TIMEOUT_MS / 1_000,
  });
  const killRate = rate === 0 ? 0 : KILL_RATE;
  const environments = new FunctionEnvironments({
    prefix: name,
    store,
    clientConfig,
    kill,
    ledger,
    random,
    killRate,
    timeoutMs: TIMEOUT_MS,
    workload,
  });
  sources.forEach((queueUrl, index) => {
    mappings.push(
      new LocalEventSourceMapping({
        clientConfig: clientConfig(`mapping-of-engine-${index}`),
        queueUrl,
        handler: (event, context) => environments.invoke(event, context),
        functionName: 'engine',
        timeoutMs: TIMEOUT_MS,
        maximumConcurrency: CONCURRENCY[index] ?? 1,
        logger: silentLogger,
      }),
    );
  });
  for (const mapping of mappings) mapping.start();
  const ticker = setInterval(() => void environments.tick(), TICK_EVERY_MS);

  const runs = workload.makeRuns(name, steps, engines, random);
  const startRun = runStarter({ clientConfig: clientConfig('starter'), prefix: name });
  const start = (some: readonly Run<Kind>[]) =>
    Promise.all(some.map(({ kind, runId, nonce }) => startAgain(() => startRun({ workflow: kind, input: { runId, nonce }, runId }))));
  const watch = new RunWatch(runs, store, ledger, (caller) => injector.isDead(caller));
  const [first, second, third] = [share(runs, 0, 0.5), share(runs, 0.5, 0.8), share(runs, 0.8, 1)];
  phase(`${first.length} runs start by message`);
  await start(first);
  await watch.untilEnded(first, 0.5);
  phase(`connections are refused for half a second, and ${second.length} more runs start`);
  await injector.refuseFor(500);
  await start(second);
  await watch.untilEnded(second, 0.2);
  phase(`the store is down for ${OUTAGE_MS / 1000} s`);
  setDown(true);
  await sleep(OUTAGE_MS);
  setDown(false);
  phase(`the store is back; ${third.length} more runs start`);
  injector.hurry();
  await start(third);
  const stuck = await watch.untilAllEnded(UNTIL_STUCK_MS);
  const seconds = cloud.elapsedSeconds();

  environments.calm();
  const left = await cloud.comeToRest(stuck, [...queues.tasksQueueUrls.values(), ...sources]);
  clearInterval(ticker);
  await Promise.all(mappings.map((mapping) => mapping.stop()));
  phase(`all is closed; of ${environments.invocations} invocations of the engine ${environments.kills} were killed`);
  await cloud.stop();
  const verdicts = await judged(runs, workload, cloud);
  return { name, seed, steps, engines: environments.started, ledger, fleet, runs, verdicts, seconds, left };
}

/** As whoever starts runs does: it is one run however often. */
async function startAgain(start: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + UNTIL_STUCK_MS;
  for (;;) {
    try {
      await start();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
