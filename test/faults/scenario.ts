import { setTimeout as sleep } from 'node:timers/promises';
import { SetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { createQueues, LocalEventSourceMapping } from '../../src/local/index.ts';
import { silentLogger } from '../support/local-cloud.ts';
import { seededRandom, slowStore } from '../support/slow-store.ts';
import { EngineInstance, type ResultLog } from './engine-instance.ts';
import { Injector } from './injector.ts';
import { LambdaFleet } from './lambda-fleet.ts';
import { Ledger } from './ledger.ts';
import { untilEmpty } from './queue-depth.ts';
import type { Outcome } from './report.ts';
import { RunWatch } from './run-watch.ts';
import { STEPS } from './steps.ts';
import { breakable } from './stores.ts';
import { judge, type Kind, makeRuns, type Run } from './workload.ts';

export interface ScenarioOptions {
  readonly name: string;
  readonly seed: number;
  readonly steps: number;
  /** Share of requests and of invocations that go wrong. */
  readonly rate: number;
  readonly engines: 1 | 2;
  /** A FIFO results queue. */
  readonly fifoResults: boolean;
  readonly sqsPort: number;
  readonly log: (line: string) => void;
}

const TASKS_VISIBILITY_SECONDS = 4;
const FUNCTION_TIMEOUT_MS = 3_000;
const MAPPINGS_PER_STEP = 2;
const OUTAGE_MS = 4_000;
const KILL_RATE = 0.1;
/** A result that was lost on its way is hidden for 30 s, and may be lost again. */
const UNTIL_STUCK_MS = 240_000;
const UNTIL_EMPTY_MS = 90_000;

/** Real engines, mappings and functions over a bad network, for so many steps; then every run and every repeat is accounted for. */
export async function runScenario(options: ScenarioOptions): Promise<Outcome> {
  const { seed, steps, engines, fifoResults, name, sqsPort, rate, log } = options;
  const fifo = fifoResults ? { fifo: { results: true } } : {};
  const random = seededRandom(seed);
  const ledger = new Ledger(TASKS_VISIBILITY_SECONDS * 1_000);
  const results: ResultLog = new Map();
  const direct = {
    endpoint: `http://127.0.0.1:${sqsPort}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'local' },
  };
  const queues = await createQueues({ clientConfig: direct, steps: STEPS, prefix: name, ...fifo });
  const client = new SQSClient(direct);
  for (const QueueUrl of queues.tasksQueueUrls.values()) {
    await client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: String(TASKS_VISIBILITY_SECONDS) } }));
  }

  const injector = new Injector({ upstreamPort: sqsPort, rate, random, ledger, fate: (call) => fleet.fate(call) });
  await injector.start();
  const kill = (caller: string) => injector.kill(caller);
  const clientConfig = injector.clientConfig.bind(injector);
  const fleet = new LambdaFleet({
    resultsQueueUrl: queues.resultsQueueUrl,
    clientConfig,
    kill,
    ledger,
    random,
    killRate: rate === 0 ? 0 : KILL_RATE,
    timeoutMs: FUNCTION_TIMEOUT_MS,
  });
  const mappings = [...queues.tasksQueueUrls].flatMap(([functionName, queueUrl]) =>
    Array.from({ length: MAPPINGS_PER_STEP }, (_, index) => {
      const config = clientConfig(`mapping${index}`);
      const timeoutMs = FUNCTION_TIMEOUT_MS * 2;
      return new LocalEventSourceMapping({
        clientConfig: config,
        queueUrl,
        handler: fleet.invoke,
        functionName,
        timeoutMs,
        logger: silentLogger,
      });
    }),
  );
  const { store, setDown } = breakable(slowStore(seed));
  let booted = 0;
  const boot = () => {
    booted += 1;
    const transport = { prefix: name, ...fifo };
    return new EngineInstance({ caller: `engine${booted}`, store, clientConfig, kill, ledger, results, transport });
  };
  const instances = Array.from({ length: engines }, boot);
  for (const mapping of mappings) mapping.start();

  // A result of a `timeoutMs` step is lost where another instance receives it: with two instances these are left out.
  const everywhere: readonly Kind[] = ['one', 'three', 'fan', 'retried', 'compensated'];
  const runs = makeRuns(name, steps, engines === 1 ? [...everywhere, 'patient'] : everywhere, random);
  const startedAt = Date.now();
  const phase = (text: string) => log(`  ${name.padEnd(12)} ${((Date.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${text}`);
  const watch = new RunWatch(runs, store, ledger, (caller) => injector.isDead(caller));

  const [first, second, third] = [share(runs, 0, 0.4), share(runs, 0.4, 0.7), share(runs, 0.7, 1)];
  phase(`${first.length} runs start`);
  await startRuns(first, instances);
  await watch.untilEnded(first, 0.4);
  phase('connections are refused for half a second');
  await injector.refuseFor(500);

  phase(`${second.length} more runs start, and an engine is killed while they do`);
  const starting = startRuns(second, instances);
  await sleep(60);
  instances[0]?.kill();
  ledger.crisis();
  await Promise.race([starting, sleep(1_000)]);
  instances[0] = boot();
  phase('its successor boots');
  await instances[0].recover();
  await startRuns(second, instances);
  await watch.untilEnded(second, 0.5);

  phase(`the store is down for ${OUTAGE_MS / 1000} s`);
  setDown(true);
  ledger.crisis();
  await sleep(OUTAGE_MS);
  setDown(false);
  ledger.crisis();
  for (const instance of instances) await instance.recover();
  phase(`the store is back; ${third.length} more runs start`);
  await startRuns(third, instances);
  const stuck = await watch.untilAllEnded(UNTIL_STUCK_MS, () => instances[0]?.engine);
  const seconds = (Date.now() - startedAt) / 1000;

  phase(stuck === 0 ? 'all runs have ended; what is left on the queues comes to rest' : `${stuck} runs are stuck`);
  injector.calm();
  fleet.calm();
  const sources = [...queues.tasksQueueUrls.values(), queues.resultsQueueUrl];
  const left = await untilEmpty(client, sources, UNTIL_EMPTY_MS);
  await Promise.all([...instances.map((instance) => instance.close()), ...mappings.map((mapping) => mapping.stop())]);
  await injector.stop();
  client.destroy();

  const verdicts = await Promise.all(
    runs.map((run) =>
      judge(
        run,
        store,
        (stepId) => (results.get(stepId) ?? 0) > 1,
        (stepId) => ledger.startedAgain(stepId),
      ),
    ),
  );
  return { name, seed, steps, engines, ledger, fleet, verdicts, seconds, left };
}

function share(runs: readonly Run[], from: number, to: number): readonly Run[] {
  return runs.slice(Math.floor(runs.length * from), Math.floor(runs.length * to));
}

/** Starts what has not been started, in turn on all instances. A start on an instance that dies never comes back. */
async function startRuns(runs: readonly Run[], instances: readonly EngineInstance[]): Promise<void> {
  await Promise.all(
    runs.map((run, index) =>
      instances[index % instances.length]?.engine.start(run.kind, { runId: run.runId, nonce: run.nonce }, run.runId),
    ),
  );
}
