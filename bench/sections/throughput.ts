import { createQueues } from 'durable-sqs-lambda/local';
import { ECHO_STEP } from '../peers/echo-step.ts';
import { BenchProcess } from '../processes/bench-process.ts';
import { type Fields, numberOf, numbersOf } from '../processes/fields.ts';
import { lambdaEnvironment, type SqsServer, startSqsServer } from '../processes/sqs-server.ts';
import { figure, spread } from '../report/format.ts';
import type { Check, Table } from '../report/model.ts';
import type { Sizes } from '../sizes.ts';
import { pairedRatio, percentile, type Summary, summarize } from '../statistics.ts';
import type { Section, SectionInput } from './section.ts';

const VARIANTS = ['ours', 'published'] as const;
type Variant = (typeof VARIANTS)[number];
const LABELS: Readonly<Record<Variant, string>> = { ours: 'durable-sqs-lambda', published: 'published transport' };
const FLOOR_LABEL = 'engine alone, no queue';

interface Workload {
  readonly name: string;
  readonly command: 'atOnce' | 'oneByOne';
  readonly runs: number;
  readonly workMs: number;
}

/** What one round of one workload gave for one variant. */
interface Round {
  readonly stepsPerSecond: number;
  readonly latencies: readonly number[];
  readonly requestsPerStep: number;
  readonly wrong: number;
  /** Microseconds of processor time per step, by process. */
  readonly cpu: { readonly server: number; readonly engine: number; readonly worker: number };
  readonly lambdaMsPerStep: number;
  readonly invocationsPerStep: number;
}

type Rounds = Readonly<Record<Variant, readonly Round[]>>;

/** The engine without any queue: steps/s of runs at once, and p50 of one run after another. */
interface Floor {
  readonly stepsPerSecond: readonly number[];
  readonly p50: readonly number[];
}

export const throughput: Section = {
  id: 1,
  title: 'Steps through SQS: ours and the published transport',
  needs: [],
  steps: ({ rounds }) => 3 * rounds * VARIANTS.length + 1,
  run: async (input) => {
    const { runsAtOnce, runsOneByOne, slowSteps, slowStepMs } = input.sizes;
    const server = await startSqsServer();
    try {
      const atOnce = await measure(server, { name: 'at once', command: 'atOnce', runs: runsAtOnce, workMs: 0 }, input);
      const oneByOne = await measure(server, { name: 'one by one', command: 'oneByOne', runs: runsOneByOne, workMs: 0 }, input);
      const slow = await measure(server, { name: 'slow steps', command: 'atOnce', runs: slowSteps, workMs: slowStepMs }, input);
      return report(input.sizes, atOnce, oneByOne, slow, await measureFloor(server, input));
    } finally {
      await server.stop();
    }
  },
};

/** Both variants in turn, each round in fresh processes on fresh queues. */
async function measure(server: SqsServer, workload: Workload, { sizes, progress }: SectionInput): Promise<Rounds> {
  const rounds: Record<Variant, Round[]> = { ours: [], published: [] };
  for (let round = 1; round <= sizes.rounds; round += 1) {
    for (const variant of VARIANTS) {
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
    const common = { endpoint, region, variant, prefix };
    await Promise.all([engine.call('open', common), worker.call('open', { ...common, tasksQueueUrl, workMs: workload.workMs })]);
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

function report(sizes: Sizes, atOnce: Rounds, oneByOne: Rounds, slow: Rounds, floor: Floor) {
  const speed = ({ stepsPerSecond }: Round) => stepsPerSecond;
  const requests = ({ requestsPerStep }: Round) => requestsPerStep;
  const latency = (share: number) => (round: Round) => percentile(round.latencies, share);
  const ratio = (rounds: Rounds, value: (round: Round) => number) => pairedRatio(rounds.ours.map(value), rounds.published.map(value));
  const check = (
    id: string,
    what: string,
    { median, low, high }: Summary,
    rest: Omit<Check, 'id' | 'what' | 'measured' | 'low' | 'high'>,
  ) => ({
    id,
    what,
    measured: median,
    low,
    high,
    ...rest,
  });
  const runs = sizes.runsAtOnce.toLocaleString('en-US');

  return {
    method: [
      'Three processes on one machine: the SQS server; the engine (in-memory store) with one transport or the other; the worker. The worker is the ' +
        'published transport with `handle`, or `LocalEventSourceMapping` (batch size 10, maximum concurrency 5) around `sqsStepHandler` with default options.',
      'Every round starts fresh engine and worker processes on fresh queues and warms them up; variants take turns: ABAB. ' +
        'Both transports have their default options; ours is attached to its engine. Polls are 20 s long.',
      'Requests are counted by the server, those of the mapping included, from the first dispatch to the last completed run.',
      `“${FLOOR_LABEL}” is the same engine on a transport that answers in its own process: no transport can be faster. Processor time per step tells ` +
        'which process is the limit: each has one busy thread.',
      'A run in a wrong state is one that the store does not hold as `completed` after its end.',
    ],
    tables: [
      speedTable(`${runs} one-step runs at once`, atOnce, floor),
      cpuTable(atOnce),
      latencyTable(oneByOne, latency, floor),
      speedTable(`${sizes.slowSteps} steps of ${sizes.slowStepMs} ms`, slow),
    ],
    charts: [
      { name: 'throughput', title: `Steps per second, ${runs} one-step runs at once`, unit: '', bars: bars(atOnce, speed) },
      { name: 'requests', title: `SQS requests per step, ${runs} one-step runs at once`, unit: '', bars: bars(atOnce, requests) },
      {
        name: 'slow-steps',
        title: `Steps per second, ${sizes.slowSteps} steps of ${sizes.slowStepMs} ms`,
        unit: '',
        bars: bars(slow, speed),
      },
    ],
    checks: [
      check('at-once', `steps per second, ${runs} one-step runs at once, against the published transport`, ratio(atOnce, speed), {
        unit: '×',
        direction: 'at least' as const,
        limit: 6,
        quickLimit: 2,
      }),
      check('requests', 'SQS requests per step there, those of the mapping included', summarize(atOnce.ours.map(requests)), {
        unit: '',
        direction: 'at most' as const,
        limit: 0.65,
        quickLimit: 1.5,
      }),
      check(
        'slow-steps',
        `steps per second, ${sizes.slowSteps} steps of ${sizes.slowStepMs} ms, against one published worker`,
        ratio(slow, speed),
        {
          unit: '×',
          direction: 'at least' as const,
          limit: 15,
          quickLimit: 4,
        },
      ),
      check('p50', 'p50 of runs one after another, against the published transport', ratio(oneByOne, latency(0.5)), {
        unit: '×',
        direction: 'at most' as const,
        limit: 1,
        quickLimit: 2,
      }),
      check('p99', 'p99 of runs one after another, against the published transport', ratio(oneByOne, latency(0.99)), {
        unit: '×',
        direction: 'at most' as const,
        limit: 1.1,
      }),
    ],
    facts: {
      ...costFacts('busy', atOnce),
      ...costFacts('oneByOne', oneByOne),
      ...costFacts('slow', slow),
    },
  };
}

function speedTable(title: string, rounds: Rounds, floor?: Floor): Table {
  const rows = VARIANTS.map((variant) => {
    const of = rounds[variant];
    return [
      LABELS[variant],
      spread(summarize(of.map(({ stepsPerSecond }) => stepsPerSecond))),
      spread(summarize(of.map(({ requestsPerStep }) => requestsPerStep))),
      wrongRuns(of),
    ];
  });
  if (floor !== undefined) rows.push([FLOOR_LABEL, spread(summarize(floor.stepsPerSecond)), '', '']);
  return { title, columns: ['', 'steps/s', 'SQS requests per step', 'runs in a wrong state'], rows };
}

function latencyTable(rounds: Rounds, latency: (share: number) => (round: Round) => number, floor: Floor): Table {
  const rows = VARIANTS.map((variant) => {
    const of = rounds[variant];
    const shares = [0.5, 0.95, 0.99].map((share) => spread(summarize(of.map(latency(share)))));
    return [LABELS[variant], ...shares, spread(summarize(of.map(({ requestsPerStep }) => requestsPerStep))), wrongRuns(of)];
  });
  rows.push([FLOOR_LABEL, spread(summarize(floor.p50)), '', '', '', '']);
  return {
    title: 'one run after another',
    columns: ['', 'p50 ms', 'p95 ms', 'p99 ms', 'SQS requests per step', 'runs in a wrong state'],
    rows,
  };
}

/** Where the processors' time goes. */
function cpuTable(rounds: Rounds): Table {
  const rows = VARIANTS.map((variant) => {
    const of = (process: keyof Round['cpu']) => figure(summarize(rounds[variant].map(({ cpu }) => cpu[process])).median);
    return [LABELS[variant], of('engine'), of('worker'), of('server')];
  });
  return { title: 'microseconds of processor time per step there', columns: ['', 'engine', 'worker', 'SQS server'], rows };
}

function wrongRuns(rounds: readonly Round[]): string {
  return figure(rounds.reduce((sum, { wrong }) => sum + wrong, 0));
}

function bars(rounds: Rounds, value: (round: Round) => number) {
  return VARIANTS.map((variant) => {
    const { median, low, high } = summarize(rounds[variant].map(value));
    return { label: LABELS[variant], value: median, low, high, ours: variant === 'ours' };
  });
}

function costFacts(name: string, rounds: Rounds): Record<string, number> {
  const of = (variant: Variant, value: (round: Round) => number) => summarize(rounds[variant].map(value)).median;
  return {
    [`${name}.requestsPerStep.ours`]: of('ours', ({ requestsPerStep }) => requestsPerStep),
    [`${name}.requestsPerStep.published`]: of('published', ({ requestsPerStep }) => requestsPerStep),
    [`${name}.lambdaMsPerStep.ours`]: of('ours', ({ lambdaMsPerStep }) => lambdaMsPerStep),
    [`${name}.invocationsPerStep.ours`]: of('ours', ({ invocationsPerStep }) => invocationsPerStep),
    [`${name}.stepsPerSecond.published`]: of('published', ({ stepsPerSecond }) => stepsPerSecond),
  };
}
