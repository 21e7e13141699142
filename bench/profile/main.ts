/**
 * Where the processor's time goes: `node bench/profile/main.ts cold-start | step | batch` (after `npm run build`).
 * Prints self time by package; docs/performance.md quotes it.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createQueues } from 'durable-sqs-lambda/local';
import { bundle } from '../peers/bundles.ts';
import { chargeEvent } from '../peers/charge-event.ts';
import { ECHO_STEP } from '../peers/echo-step.ts';
import { BenchProcess } from '../processes/bench-process.ts';
import { lambdaEnvironment, startSqsServer } from '../processes/sqs-server.ts';
import { figure, percent } from '../report/format.ts';
import { tableText } from '../report/terminal.ts';
import { selfTimes, sourceFinder } from './cpu-profile.ts';

const RUNS = 5_000;
const RECORDS = 100_000;

const PROFILES: Readonly<Record<string, (folder: string) => Promise<void>>> = { 'cold-start': coldStart, step, batch };

async function coldStart(folder: string): Promise<void> {
  const server = await startSqsServer();
  try {
    const { taskRoot } = await bundle('ours', folder);
    const { resultsQueueUrl } = await createQueues({ clientConfig: server.clientConfig, steps: [] });
    const env = { ...process.env, ...lambdaEnvironment(server, resultsQueueUrl), BENCH_BUNDLE: join(taskRoot, 'index.mjs') };
    const script = fileURLToPath(new URL('invoke-once.ts', import.meta.url));
    await promisify(execFile)(process.execPath, [...profiling(join(folder, 'one function'), 50), script], {
      env: { ...env, BENCH_EVENT: JSON.stringify(chargeEvent()) },
    });
  } finally {
    await server.stop();
  }
}

/** Runs at once, with the engine, the worker and the server each under the profiler. */
async function step(folder: string): Promise<void> {
  const server = await startSqsServer(profiling(join(folder, 'SQS server')));
  const prefix = 'profile';
  const { endpoint, region, clientConfig } = server;
  const queues = await createQueues({ clientConfig, steps: [ECHO_STEP], prefix, functionTimeoutSeconds: 30 });
  const env = lambdaEnvironment(server, queues.resultsQueueUrl);
  const engine = await BenchProcess.start({ script: 'engine.ts', env, nodeOptions: profiling(join(folder, 'engine')) });
  const worker = await BenchProcess.start({ script: 'worker.ts', env, nodeOptions: profiling(join(folder, 'worker')) });
  const common = { endpoint, region, variant: 'ours', prefix };
  await engine.call('open', common);
  await worker.call('open', { ...common, tasksQueueUrl: queues.tasksQueueUrls.get(ECHO_STEP) ?? '', workMs: 0 });
  await engine.call('atOnce', { runs: RUNS });
  await Promise.all([engine.stop(), worker.stop()]);
  await server.stop();
}

async function batch(folder: string): Promise<void> {
  const child = await BenchProcess.start({
    script: 'records.ts',
    env: { AWS_LAMBDA_LOG_LEVEL: 'WARN' },
    nodeOptions: profiling(join(folder, 'worker')),
  });
  await child.call('measure', { batch: 10, rounds: 1, recordsPerRound: RECORDS, only: 'ours' });
  await child.stop();
}

function profiling(folder: string, intervalMicroseconds = 500): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${intervalMicroseconds}`];
}

async function print(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.name.endsWith('.cpuprofile')) continue;
    const times = selfTimes(JSON.parse(await readFile(join(entry.parentPath, entry.name), 'utf8')), sourceFinder());
    const total = times.reduce((sum, [, ms]) => sum + ms, 0);
    const rows = times.filter(([, ms]) => ms / total >= 0.01).map(([group, ms]) => [group, figure(ms), percent(ms / total)]);
    const title = `${entry.parentPath.split('/').at(-1)}: ${figure(total)} ms of processor time`;
    console.log(`${tableText({ title, columns: ['self time in', 'ms', 'share'], rows })}\n`);
  }
}

const profile = PROFILES[process.argv[2] ?? ''];
if (profile === undefined) {
  console.error(`expected one of ${Object.keys(PROFILES).join(', ')}, got ${process.argv[2] ?? 'nothing'}`);
  process.exitCode = 1;
} else {
  const folder = await mkdtemp(join(tmpdir(), 'bench-profile-'));
  try {
    await profile(folder);
    await print(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
