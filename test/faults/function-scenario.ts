import { setTimeout as sleep } from 'node:timers/promises';
import { SQSClient } from '@aws-sdk/client-sqs';
import { runStarter } from '../../src/client/index.ts';
import { LocalEventSourceMapping } from '../../src/local/index.ts';
import { createEngineQueues } from '../support/engine-queues.ts';
import { silentLogger } from '../support/local-cloud.ts';
import { seededRandom, slowStore } from '../support/slow-store.ts';
import { FunctionEnvironments } from './function-environments.ts';
import { Injector } from './injector.ts';
import { Ledger } from './ledger.ts';
import { depth, untilEmpty } from './queue-depth.ts';
import type { Outcome } from './report.ts';
import { RunWatch } from './run-watch.ts';
import type { Run } from './runs.ts';
import { OUTAGE_MS, type ScenarioOptions, share, UNTIL_EMPTY_MS } from './scenario.ts';
import { breakable } from './stores.ts';
import { evidenceOf } from './verdict.ts';
import { makeQueues, makeWorkers, prepareTasksQueue, TASKS_VISIBILITY_SECONDS } from './workers.ts';
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
  const { seed, steps, engines, fifoResults, name, sqsPort, rate, log } = options;
  const random = seededRandom(seed);
  const ledger = new Ledger(TASKS_VISIBILITY_SECONDS * 1_000);
  const direct = {
    endpoint: `http://127.0.0.1:${sqsPort}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'local' },
  };
  const queues = await makeQueues(direct, name, [...workload.functions.keys()], fifoResults);
  const client = new SQSClient(direct);
  for (const QueueUrl of queues.tasksQueueUrls.values()) await prepareTasksQueue(client, QueueUrl);
  const sources = await createEngineQueues(client, {
    prefix: name,
    resultsQueueUrl: queues.resultsQueueUrl,
    visibilitySeconds: TIMEOUT_MS / 1_000,
  });

  const injector = new Injector({
    upstreamPort: sqsPort,
    rate,
    random,
    ledger,
    fate: (call) => fleet.fate(call),
    cutOff: (call) => fleet.isCutOff(call),
  });
  await injector.start();
  const clientConfig = injector.clientConfig.bind(injector);
  const kill = (caller: string) => injector.kill(caller);
  const { fleet, mappings } = makeWorkers({ queues, clientConfig, kill, ledger, random, rate, workload });
  const { store, setDown } = breakable(slowStore(seed));
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
  const startedAt = Date.now();
  const phase = (text: string) => log(`  ${name.padEnd(12)} ${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${text}`);
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
  const seconds = (Date.now() - startedAt) / 1000;

  phase(stuck === 0 ? 'all runs have ended; what is left on the queues comes to rest' : `${stuck} runs are stuck`);
  injector.calm();
  fleet.calm();
  environments.calm();
  const queueUrls = [...queues.tasksQueueUrls.values(), ...sources];
  const left = await untilEmpty(client, queueUrls, UNTIL_EMPTY_MS);
  for (const url of left === 0 ? [] : queueUrls) phase(`${await depth(client, url)} messages are left on ${url.split('/').at(-1)}`);
  clearInterval(ticker);
  await Promise.all(mappings.map((mapping) => mapping.stop()));
  phase(`all is closed; of ${environments.invocations} invocations of the engine ${environments.kills} were killed`);
  await injector.stop();
  client.destroy();
  const verdicts = await Promise.all(runs.map((run) => workload.judge(run, store, evidenceOf(ledger))));
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
