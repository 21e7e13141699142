import { createQueues } from 'durable-sqs-lambda/local';
import { ECHO_STEP } from '../peers/echo-step.ts';
import { BenchProcess } from '../processes/bench-process.ts';
import { type Fields, numberOf, numbersOf } from '../processes/fields.ts';
import { lambdaEnvironment, type SqsServer, startSqsServer } from '../processes/sqs-server.ts';
import { percentile } from '../statistics.ts';
import type { Section, SectionInput } from './section.ts';
import {
  FLOOR_LABEL,
  type Floor,
  LABELS,
  type Round,
  type Rounds,
  throughputReport,
  VARIANTS,
  type Variant,
  WITH_LIMIT,
} from './throughput-report.ts';

interface Workload {
  readonly name: string;
  readonly command: 'atOnce' | 'oneByOne';
  readonly runs: number;
  readonly workMs: number;
  readonly variants: readonly Variant[];
}

export const throughput: Section = {
  id: 1,
  title: 'Steps through SQS: ours and the published transport',
  needs: [],
  steps: ({ rounds }) => rounds * (WITH_LIMIT.length + 2 * VARIANTS.length) + 1,
  run: async (input) => {
    const { runsAtOnce, runsOneByOne, slowSteps, slowStepMs } = input.sizes;
    const server = await startSqsServer();
    try {
      const measured = (workload: Workload) => measure(server, workload, input);
      const atOnce = await measured({ name: 'at once', command: 'atOnce', runs: runsAtOnce, workMs: 0, variants: WITH_LIMIT });
      const oneByOne = await measured({ name: 'one by one', command: 'oneByOne', runs: runsOneByOne, workMs: 0, variants: VARIANTS });
      const slow = await measured({ name: 'slow steps', command: 'atOnce', runs: slowSteps, workMs: slowStepMs, variants: VARIANTS });
      return throughputReport(input.sizes, atOnce, oneByOne, slow, await measureFloor(server, input));
    } finally {
      await server.stop();
    }
  },
};

/** The variants in turn, each round in fresh processes on fresh queues. */
async function measure(server: SqsServer, workload: Workload, { sizes, progress }: SectionInput): Promise<Rounds> {
  const rounds: Record<Variant, Round[]> = { ours: [], published: [], bare: [] };
  for (let round = 1; round <= sizes.rounds; round += 1) {
    for (const variant of workload.variants) {
      progress.step(`${workload.name}, round ${round}/${sizes.rounds}, ${LABELS[variant]}`);
      const prefix = `bench-${workload.name.replaceAll(' ', '-')}-${variant}-${round}`;
      rounds[variant].push(await measureOnce(server, workload, variant, prefix, sizes.warmUpRuns));
    }
  }
  return rounds;
}

async function measureOnce(server: SqsServer, workload: Workload, variant: Variant, prefix: string, warmUpRuns: number): Promise<Round> {
  const { endpoint, region, clientConfig } = server;
  const queues = await createQueues({ clientConfig, steps: [ECHO_STEP], prefix, functionTimeoutSeconds: 30 });
  const env = lambdaEnvironment(server, queues.resultsQueueUrl);
  const [engine, worker] = await Promise.all([
    BenchProcess.start({ script: 'engine.ts', env }),
    BenchProcess.start({ script: 'worker.ts', env }),
  ]);
  try {
    const tasksQueueUrl = queues.tasksQueueUrls.get(ECHO_STEP) ?? '';
    const common = { endpoint, region, variant, prefix, tasksQueueUrl, resultsQueueUrl: queues.resultsQueueUrl };
    await Promise.all([engine.call('open', common), worker.call('open', { ...common, workMs: workload.workMs })]);
    await engine.call('atOnce', { runs: workload.workMs > 0 ? Math.min(20, warmUpRuns) : warmUpRuns });

    const before = await look({ server, engine, worker });
    const measured = await engine.call(workload.command, { runs: workload.runs });
    return roundOf(workload, measured, before, await look({ server, engine, worker }));
  } finally {
    await Promise.all([engine.stop(), worker.stop()]);
  }
}

async function measureFloor({ endpoint, region }: SqsServer, { sizes, progress }: SectionInput): Promise<Floor> {
  progress.step(FLOOR_LABEL);
  const floor: { stepsPerSecond: number[]; p50: number[] } = { stepsPerSecond: [], p50: [] };
  for (let round = 0; round < sizes.rounds; round += 1) {
    const engine = await BenchProcess.start({ script: 'engine.ts' });
    try {
      await engine.call('open', { endpoint, region, variant: 'floor', prefix: 'floor' });
      await engine.call('atOnce', { runs: sizes.warmUpRuns });
      const milliseconds = numberOf(await engine.call('atOnce', { runs: sizes.runsAtOnce }), 'milliseconds');
      floor.stepsPerSecond.push((sizes.runsAtOnce / milliseconds) * 1000);
      floor.p50.push(percentile(numbersOf(await engine.call('oneByOne', { runs: sizes.runsOneByOne }), 'latencies'), 0.5));
    } finally {
      await engine.stop();
    }
  }
  return floor;
}

interface Processes {
  readonly server: SqsServer;
  readonly engine: BenchProcess;
  readonly worker: BenchProcess;
}

/** What is counted, at one moment. */
async function look({ server, engine, worker }: Processes) {
  return {
    requests: await server.requests(),
    server: await server.cpuMs(),
    engine: await engine.cpuMs(),
    worker: await worker.cpuMs(),
    use: await worker.call('use'),
  };
}

type Look = Awaited<ReturnType<typeof look>>;

function roundOf({ command, runs }: Workload, measured: Fields, before: Look, after: Look): Round {
  const perStep = (name: 'server' | 'engine' | 'worker') => ((after[name] - before[name]) * 1000) / runs;
  const used = (name: string) => (numberOf(after.use, name) - numberOf(before.use, name)) / runs;
  const latencies = command === 'oneByOne' ? numbersOf(measured, 'latencies') : [];
  const completed = command === 'oneByOne' ? latencies.length : numberOf(measured, 'completed');
  const milliseconds = command === 'oneByOne' ? latencies.reduce((sum, ms) => sum + ms, 0) : numberOf(measured, 'milliseconds');
  return {
    stepsPerSecond: (completed / milliseconds) * 1000,
    latencies,
    requestsPerStep: (after.requests - before.requests) / runs,
    wrong: numberOf(measured, 'wrong'),
    cpu: { server: perStep('server'), engine: perStep('engine'), worker: perStep('worker') },
    lambdaMsPerStep: used('milliseconds'),
    invocationsPerStep: used('invocations'),
  };
}
