import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createQueues } from 'durable-sqs-lambda/local';
import { findPostgres, type PostgresServer, startPostgres } from '../../test/postgres/postgres-server.ts';
import { requireRuntime } from '../../test/support/runtime-api.ts';
import { bundle } from '../peers/bundles.ts';
import { ECHO_STEP } from '../peers/echo-step.ts';
import { createEngineQueues } from '../peers/engine-queues.ts';
import { BenchProcess } from '../processes/bench-process.ts';
import { type Fields, numberOf, numbersOf } from '../processes/fields.ts';
import { lambdaEnvironment, type SqsServer, startSqsServer } from '../processes/sqs-server.ts';
import type { Sizes } from '../sizes.ts';
import { percentile } from '../statistics.ts';
import {
  type ContainerRound,
  ENGINES,
  type Engine,
  type FunctionRound,
  LABELS,
  type Load,
  MEMORY_MB,
  report,
} from './engine-function-report.ts';
import type { Section } from './section.ts';

/** Of each mapping. More environments than processors only wait for one another on this machine. */
const MAXIMUM_CONCURRENCY = 2;

interface Servers {
  readonly sqs: SqsServer;
  readonly postgres: PostgresServer;
  readonly taskRoot: string;
}

/** The processes of one round. */
interface Round {
  readonly engine: BenchProcess;
  readonly starter: BenchProcess;
}

export const engineFunction: Section = {
  id: 9,
  title: 'The engine on Lambda, against the engine in a container',
  needs: [],
  steps: ({ rounds }) => rounds * ENGINES.length,
  ready: () => Promise.all([findPostgres(), requireRuntime()]),
  async run({ sizes, progress }) {
    const functions: FunctionRound[] = [];
    const containers: ContainerRound[] = [];
    await withServers(async (servers) => {
      for (let round = 1; round <= sizes.rounds; round += 1) {
        const step = (engine: Engine) => progress.step(`round ${round}/${sizes.rounds}, ${LABELS[engine]}`);
        step('function');
        functions.push(await inRound(servers, 'function', round, (processes) => measureFunction(servers, processes, sizes)));
        step('container');
        containers.push(await inRound(servers, 'container', round, (processes) => measureContainer(servers, processes, sizes)));
      }
    });
    return report({ function: functions, container: containers }, sizes);
  },
};

async function withServers(use: (servers: Servers) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-engine-'));
  const postgres = await startPostgres();
  const sqs = await startSqsServer();
  try {
    const { taskRoot } = await bundle('engine', folder);
    await use({ postgres, sqs, taskRoot });
  } finally {
    await sqs.stop();
    await postgres.stop();
    await rm(folder, { recursive: true });
  }
}

/** Fresh queues, a fresh database and fresh processes. */
async function inRound<T>(servers: Servers, engine: Engine, round: number, measure: (processes: Round) => Promise<T>): Promise<T> {
  const { sqs, postgres, taskRoot } = servers;
  const { clientConfig, endpoint, region } = sqs;
  const prefix = `engine-${engine}-${round}`;
  const { port: databasePort, user: databaseUser, database } = await postgres.createDatabase(prefix.replaceAll('-', '_'));
  const { resultsQueueUrl, tasksQueueUrls } = await createQueues({ clientConfig, steps: [ECHO_STEP], prefix, functionTimeoutSeconds: 8 });
  const engineQueues = await createEngineQueues(clientConfig, prefix, resultsQueueUrl);
  const env = lambdaEnvironment(sqs, resultsQueueUrl);
  const script = engine === 'function' ? 'lambda-engine.ts' : 'container-engine.ts';
  const started: BenchProcess[] = [];
  const start = async (name: string, fields: Fields) => {
    const process = await BenchProcess.start({ script: name, env });
    started.push(process);
    await process.call('open', { endpoint, region, prefix, databasePort, databaseUser, database, ...fields });
    return process;
  };
  try {
    const starter = await start('started-runs.ts', {});
    await start('worker.ts', { variant: 'ours', tasksQueueUrl: tasksQueueUrls.get(ECHO_STEP) ?? '', workMs: 0 });
    const lambda = { taskRoot, memoryMb: MEMORY_MB, maximumConcurrency: MAXIMUM_CONCURRENCY, resultsQueueUrl, ...engineQueues };
    return await measure({ starter, engine: await start(script, engine === 'function' ? lambda : {}) });
  } finally {
    await Promise.all(started.map((process) => process.stop()));
  }
}

async function measureFunction(servers: Servers, { engine, starter }: Round, sizes: Sizes): Promise<FunctionRound> {
  const { runs: coldRuns, ...cold } = await latencies(starter, 'oneByOne', { runs: 1 });
  await warmUp(starter, sizes);
  const load = async (command: 'oneByOne' | 'bursts', fields: Fields) => {
    const before = await engine.call('use');
    const measured = await measureLoad(servers, starter, command, fields);
    const after = await engine.call('use');
    const perRun = (name: string) => (numberOf(after, name) - numberOf(before, name)) / measured.runs;
    return { ...measured, invocations: perRun('invocations'), billedMs: perRun('billedMs'), cpuMs: perRun('cpuMs') };
  };
  const oneByOne = await load('oneByOne', { runs: sizes.engineFunction.runsOneByOne });
  const bursts = await load('bursts', { runs: sizes.engineFunction.runsPerBurst, bursts: sizes.engineFunction.bursts });
  const { ticks } = sizes.engineFunction;
  const cpuBefore = numberOf(await engine.call('use'), 'cpuMs');
  const tick = await engine.call('tick', { ticks });
  const end = await engine.call('use');
  return {
    oneByOne,
    bursts,
    tick: { billedMs: numberOf(tick, 'billedMs') / ticks, cpuMs: (numberOf(end, 'cpuMs') - cpuBefore) / ticks },
    initMs: numbersOf(end, 'initMs'),
    firstMs: numbersOf(end, 'firstMs'),
    coldRunMs: coldRuns === 1 ? cold.p50 : Number.NaN,
    environments: numberOf(end, 'mostAtOnce'),
    failures: numberOf(end, 'failures'),
  };
}

async function measureContainer(servers: Servers, { engine, starter }: Round, sizes: Sizes): Promise<ContainerRound> {
  await warmUp(starter, sizes);
  const load = async (command: 'oneByOne' | 'bursts', fields: Fields) => {
    const before = await engine.cpuMs();
    const measured = await measureLoad(servers, starter, command, fields);
    return { ...measured, cpuMs: ((await engine.cpuMs()) - before) / measured.runs };
  };
  return {
    oneByOne: await load('oneByOne', { runs: sizes.engineFunction.runsOneByOne }),
    bursts: await load('bursts', { runs: sizes.engineFunction.runsPerBurst, bursts: sizes.engineFunction.bursts }),
  };
}

/** All environments that there will be are started, and everything has run once. */
async function warmUp(starter: BenchProcess, { engineFunction: { warmUpRuns } }: Sizes): Promise<void> {
  await starter.call('bursts', { runs: warmUpRuns, bursts: 2 });
}

async function measureLoad({ sqs }: Servers, starter: BenchProcess, command: string, fields: Fields): Promise<Omit<Load, 'cpuMs'>> {
  const before = await sqs.requests();
  const measured = await latencies(starter, command, fields);
  return { ...measured, sqsRequests: ((await sqs.requests()) - before) / measured.runs };
}

async function latencies(starter: BenchProcess, command: string, fields: Fields) {
  const answer = await starter.call(command, fields);
  const all = numbersOf(answer, 'latencies');
  return { runs: all.length, p50: percentile(all, 0.5), p99: percentile(all, 0.99), wrong: numberOf(answer, 'wrong') };
}
