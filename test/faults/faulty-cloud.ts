import { SQSClient } from '@aws-sdk/client-sqs';
import { seededRandom, slowStore } from '../support/slow-store.ts';
import { Injector } from './injector.ts';
import { Ledger } from './ledger.ts';
import { depth, untilEmpty } from './queue-depth.ts';
import type { Outcome } from './report.ts';
import type { Run } from './runs.ts';
import { breakable } from './stores.ts';
import { evidenceOf } from './verdict.ts';
import { makeQueues, makeWorkers, prepareTasksQueue, TASKS_VISIBILITY_SECONDS } from './workers.ts';
import type { Workload } from './workloads.ts';

export interface FaultyCloudOptions {
  readonly name: string;
  readonly seed: number;
  /** Share of requests and of invocations that go wrong. */
  readonly rate: number;
  /** A FIFO results queue. */
  readonly fifoResults: boolean;
  readonly sqsPort: number;
  readonly log: (line: string) => void;
}

const UNTIL_EMPTY_MS = 90_000;

export type FaultyCloud = Awaited<ReturnType<typeof startFaultyCloud>>;

/**
 * All but the engine: queues behind a bad network, the functions of a workload with their mappings, which are not
 * started, and a store that can be down.
 */
export async function startFaultyCloud<Kind extends string>(options: FaultyCloudOptions, workload: Workload<Kind>) {
  const { name, seed, rate, fifoResults, sqsPort, log } = options;
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
  const injector = new Injector({
    upstreamPort: sqsPort,
    rate,
    random,
    ledger,
    fate: (call) => fleet.fate(call),
    cutOff: (call) => fleet.isCutOff(call),
  });
  await injector.start();
  const kill = (caller: string) => injector.kill(caller);
  const clientConfig = injector.clientConfig.bind(injector);
  const { fleet, mappings } = makeWorkers({ queues, clientConfig, kill, ledger, random, rate, workload });
  const startedAt = Date.now();
  const elapsedSeconds = () => (Date.now() - startedAt) / 1_000;
  const phase = (text: string) => log(`  ${name.padEnd(12)} ${elapsedSeconds().toFixed(1).padStart(6)} s  ${text}`);
  return {
    random,
    ledger,
    queues,
    /** Past the bad network. */
    client,
    injector,
    clientConfig,
    kill,
    fleet,
    mappings,
    ...breakable(slowStore(seed)),
    elapsedSeconds,
    phase,
    /**
     * From now on nothing goes wrong.
     * @returns messages that do not leave these queues
     */
    async comeToRest(stuck: number, queueUrls: readonly string[]): Promise<number> {
      phase(stuck === 0 ? 'all runs have ended; what is left on the queues comes to rest' : `${stuck} runs are stuck`);
      injector.calm();
      fleet.calm();
      const left = await untilEmpty(client, queueUrls, UNTIL_EMPTY_MS);
      if (left === 0) phase('the queues are empty');
      else for (const url of queueUrls) phase(`${await depth(client, url)} messages are left on ${url.split('/').at(-1)}`);
      return left;
    },
    async stop(): Promise<void> {
      await injector.stop();
      client.destroy();
    },
  };
}

/** What came of the runs. */
export async function judged<Kind extends string>(
  runs: readonly Run<Kind>[],
  workload: Workload<Kind>,
  { store, ledger }: Pick<FaultyCloud, 'store' | 'ledger'>,
): Promise<Outcome['verdicts']> {
  return Promise.all(runs.map((run) => workload.judge(run, store, evidenceOf(ledger))));
}
