/**
 * `npm run test:soak -- --minutes 30`: a steady load of runs, engine and functions in this process, SQS in another.
 * Memory and open sockets are sampled; exits 1 where one of them rises beyond its noise, or a run does not complete.
 */
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';
import { createQueues, LocalEventSourceMapping } from '../../src/local/index.ts';
import { silentLogger } from '../support/local-cloud.ts';
import { seededRandom } from '../support/slow-store.ts';
import { Dispatches } from './dispatches.ts';
import { EngineInstance } from './engine-instance.ts';
import { History } from './history.ts';
import { LambdaFleet } from './lambda-fleet.ts';
import { Ledger } from './ledger.ts';
import { ResultBook } from './result-book.ts';
import type { Run } from './runs.ts';
import { serveSteps } from './served.ts';
import { startSqsProcess } from './sqs-process.ts';
import { forget, STEPS } from './steps.ts';
import { trend } from './trend.ts';
import { NO_EVIDENCE } from './verdict.ts';
import { judge, type Kind } from './workload.ts';

const KINDS: readonly Kind[] = ['one', 'three', 'fan', 'patient', 'retried', 'compensated'];
/** Connections and compiled code need a while to be what they will be. */
const WARM_UP_SHARE = 0.3;
const SAMPLES = 40;
const say = (line: string) => process.stdout.write(`${line}\n`);

interface Sample {
  readonly heapMB: number;
  readonly rssMB: number;
  readonly sockets: number;
  readonly serverSockets: number;
  readonly timers: number;
}

async function main(minutes: number, runsPerSecond: number): Promise<number> {
  const sqs = await startSqsProcess();
  const clientConfig = (caller: string) => ({
    endpoint: `http://127.0.0.1:${sqs.port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: caller, secretAccessKey: 'local' },
  });
  const { tasksQueueUrls, resultsQueueUrl } = await createQueues({ clientConfig: clientConfig('test'), steps: STEPS });
  const store = new InMemoryStateStore();
  const ledger = new ForgetfulLedger();
  const common = { clientConfig, kill: () => undefined, ledger };
  const fleet = new LambdaFleet({ ...common, resultsQueueUrl, random: seededRandom(1), killRate: 0, cutOffRate: 0, timeoutMs: 10_000 });
  const handler = fleet.function(serveSteps);
  const mappings = [...tasksQueueUrls].map(
    ([functionName, queueUrl]) =>
      new LocalEventSourceMapping({
        clientConfig: clientConfig('mapping'),
        queueUrl,
        handler,
        functionName,
        timeoutMs: 10_000,
        logger: silentLogger,
      }),
  );
  const instance = new EngineInstance({ ...common, caller: 'engine', store });
  for (const mapping of mappings) mapping.start();

  const wrong: string[] = [];
  const samples: Sample[] = [];
  const running = new Set<Promise<void>>();
  let started = 0;
  let ended = 0;
  const endAt = Date.now() + minutes * 60_000;
  const sampleEveryMs = (minutes * 60_000) / SAMPLES;
  let nextSampleAt = Date.now() + sampleEveryMs;

  const one = async (run: Run<Kind>) => {
    await instance.start(run);
    await instance.engine.waitForRun(run.runId, { until: 'terminal', timeoutMs: 60_000 }).catch(() => undefined);
    const verdict = await judge(run, store, NO_EVIDENCE);
    if (verdict.outcome === 'wrong') wrong.push(verdict.why);
    await instance.engine.deleteRun(run.runId);
    // The engine leaves a signal to the parent of each run that has ended, whether it has one or not, and `deleteRun`
    // leaves it be.
    await store.takeBufferedSignal(`child:${run.runId}`);
    forget(run.runId);
    ended += 1;
  };
  say('     runs   heap MB   rss MB   sockets   server   timers');
  while (Date.now() < endAt) {
    const kind = KINDS[started % KINDS.length] ?? 'one';
    const run = one({ runId: `soak-${started}`, kind, nonce: started }).finally(() => running.delete(run));
    running.add(run);
    started += 1;
    await sleep(1_000 / runsPerSecond);
    if (Date.now() < nextSampleAt) continue;
    nextSampleAt += sampleEveryMs;
    const sample = await take(sqs.connections);
    samples.push(sample);
    const { heapMB, rssMB, sockets, serverSockets, timers } = sample;
    say(
      [ended, heapMB.toFixed(1), rssMB.toFixed(1), sockets, serverSockets, timers]
        .map((value, index) => String(value).padStart([9, 10, 9, 10, 9, 9][index] ?? 9))
        .join(''),
    );
  }
  await Promise.all(running);
  await Promise.all([instance.close(), ...mappings.map((mapping) => mapping.stop())]);
  await sqs.stop();

  const settled = samples.slice(Math.floor(samples.length * WARM_UP_SHARE));
  const series = [
    ['heap MB', ({ heapMB }: Sample) => heapMB, 0.05, 2],
    ['rss MB', ({ rssMB }: Sample) => rssMB, 0.15, 20],
    ['sockets', ({ sockets }: Sample) => sockets, 0.1, 5],
    ['server sockets', ({ serverSockets }: Sample) => serverSockets, 0.1, 5],
    ['timers', ({ timers }: Sample) => timers, 0.2, 20],
  ] as const;
  say(`\n${started} runs in ${minutes} min, ${ended} ended; after the warm-up:`);
  for (const [name, value, tolerance, least] of series) {
    const { rise, rises } = trend(settled.map(value), tolerance, least);
    say(`  ${name.padEnd(15)} ${rise >= 0 ? '+' : ''}${rise.toFixed(1)} over ${settled.length} samples${rises ? ': RISES' : ''}`);
    if (rises) wrong.push(`${name} rises`);
  }
  if (wrong.length > 0) say(`\n${wrong.length} things are wrong:\n  ${wrong.slice(0, 20).join('\n  ')}`);
  return wrong.length === 0 ? 0 : 1;
}

class ForgetfulDispatches extends Dispatches {
  override dispatched(): void {}
  override locked(): void {}
}

class ForgetfulResults extends ResultBook {
  override handedToEngine(): void {}
  override taskGiven(): void {}
}

class ForgetfulHistory extends History {
  override note(): void {}
}

/** Keeps no book: what the tests remember would be the leak that a soak finds. */
class ForgetfulLedger extends Ledger {
  override readonly dispatches = new ForgetfulDispatches();
  override readonly results = new ForgetfulResults();
  override readonly history = new ForgetfulHistory();
  override executed(): void {}
  override invocationBegins(): void {}
}

async function take(connections: () => Promise<number>): Promise<Sample> {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  const resources = process.getActiveResourcesInfo();
  const count = (kind: string) => resources.filter((each) => each === kind).length;
  const MB = 1024 * 1024;
  return {
    heapMB: heapUsed / MB,
    rssMB: rss / MB,
    sockets: count('TCPSocketWrap'),
    serverSockets: await connections(),
    timers: count('Timeout'),
  };
}

function readArguments() {
  const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' }, rate: { type: 'string', default: '10' } } });
  const [minutes, rate] = [Number(values.minutes), Number(values.rate)];
  if (!(minutes > 0) || !(rate > 0))
    throw new Error(`expected --minutes and --rate (runs a second) above 0, got ${values.minutes} and ${values.rate}`);
  return { minutes, rate };
}

if (globalThis.gc === undefined) {
  // Without it the heap is a sawtooth, and a slope of it means nothing.
  const again = spawnSync(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  process.exitCode = again.status ?? 1;
} else {
  const { minutes, rate } = readArguments();
  process.exitCode = await main(minutes, rate);
}
