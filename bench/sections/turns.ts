import { createQueues } from 'durable-sqs-lambda/local';
import { ECHO_STEP } from '../peers/echo-step.ts';
import { TURNS_OF_A_RUN, TWO_STEPS } from '../peers/two-steps.ts';
import { BenchProcess } from '../processes/bench-process.ts';
import { numberOf, numbersOf } from '../processes/fields.ts';
import { lambdaEnvironment, type SqsServer, startSqsServer } from '../processes/sqs-server.ts';
import { figure, spread } from '../report/format.ts';
import type { Sizes } from '../sizes.ts';
import { pairedRatio, percentile, summarize } from '../statistics.ts';
import type { Section } from './section.ts';

const VARIANTS = ['process', 'lambda'] as const;
type Variant = (typeof VARIANTS)[number];
const LABELS: Readonly<Record<Variant, string>> = {
  process: "the workflow in the engine's process",
  lambda: 'the workflow on Lambda',
};
const WARM_UP_RUNS = 20;

interface Round {
  readonly p50: number;
  readonly p99: number;
  readonly requestsPerRun: number;
  readonly wrong: number;
}

export const turns: Section = {
  id: 8,
  title: "A workflow's turns on Lambda, against the same workflow in the engine's process",
  needs: [],
  steps: ({ rounds }) => rounds * VARIANTS.length,
  async run({ sizes, progress }) {
    const rounds: Record<Variant, Round[]> = { process: [], lambda: [] };
    const server = await startSqsServer();
    try {
      for (let round = 1; round <= sizes.rounds; round += 1) {
        for (const variant of VARIANTS) {
          progress.step(`round ${round}/${sizes.rounds}, ${LABELS[variant]}`);
          rounds[variant].push(await measureOnce(server, variant, `turns-${variant}-${round}`, sizes.turnRuns));
        }
      }
    } finally {
      await server.stop();
    }
    return report(rounds, sizes);
  },
};

async function measureOnce(server: SqsServer, variant: Variant, prefix: string, runs: number): Promise<Round> {
  const { endpoint, region, clientConfig } = server;
  const queues = await createQueues({ clientConfig, steps: [ECHO_STEP, TWO_STEPS], prefix, functionTimeoutSeconds: 30 });
  const env = lambdaEnvironment(server, queues.resultsQueueUrl);
  const [engine, worker] = await Promise.all([
    BenchProcess.start({ script: 'turns-engine.ts', env }),
    BenchProcess.start({ script: 'turns-worker.ts', env }),
  ]);
  try {
    const common = { endpoint, region, variant, prefix };
    const queueUrl = (name: string) => queues.tasksQueueUrls.get(name) ?? '';
    await Promise.all([
      engine.call('open', common),
      worker.call('open', { ...common, stepsQueueUrl: queueUrl(ECHO_STEP), turnsQueueUrl: queueUrl(TWO_STEPS) }),
    ]);
    await engine.call('oneByOne', { runs: WARM_UP_RUNS });
    const before = await server.requests();
    const measured = await engine.call('oneByOne', { runs });
    const requestsPerRun = ((await server.requests()) - before) / runs;
    const latencies = numbersOf(measured, 'latencies');
    return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), requestsPerRun, wrong: numberOf(measured, 'wrong') };
  } finally {
    await Promise.all([engine.stop(), worker.stop()]);
  }
}

function report(rounds: Readonly<Record<Variant, readonly Round[]>>, { turnRuns }: Sizes) {
  const of = (variant: Variant, name: keyof Round) => rounds[variant].map((round) => round[name]);
  const perTurn = (name: 'p50' | 'requestsPerRun') =>
    of('lambda', name).map((value, round) => (value - (of('process', name)[round] ?? Number.NaN)) / TURNS_OF_A_RUN);
  const ratio = pairedRatio(of('lambda', 'p50'), of('process', 'p50'));
  const [turnMs, turnRequests] = [summarize(perTurn('p50')), summarize(perTurn('requestsPerRun'))];
  const check = { direction: 'at most' as const };
  return {
    method: [
      `${figure(turnRuns)} runs of two steps, one after another: engine, SQS and worker each in a process of its own. Every round starts a fresh engine ` +
        'and worker on fresh queues; the two take turns.',
      `On Lambda a run has ${TURNS_OF_A_RUN} turns beside its two steps: from its start, and from each result. A turn's time and requests are the difference ` +
        'of the two, by that number.',
    ],
    tables: [
      {
        title: 'a run of two steps',
        columns: ['', 'p50 ms', 'p99 ms', 'SQS requests a run', 'runs in a wrong state'],
        rows: VARIANTS.map((variant) => [
          LABELS[variant],
          spread(summarize(of(variant, 'p50'))),
          spread(summarize(of(variant, 'p99'))),
          spread(summarize(of(variant, 'requestsPerRun'))),
          figure(of(variant, 'wrong').reduce((sum, wrong) => sum + wrong, 0)),
        ]),
      },
      {
        title: 'one turn',
        columns: ['', 'p50 ms', 'SQS requests'],
        rows: [['a turn and its decision', spread(turnMs), spread(turnRequests)]],
      },
    ],
    charts: [],
    checks: [
      {
        id: 'turns-p50',
        what: "p50 of a run of two steps whose workflow runs on Lambda, against the same in the engine's process",
        measured: ratio.median,
        low: ratio.low,
        high: ratio.high,
        unit: '×',
        ...check,
        // Five round trips through SQS, against two.
        limit: 3.5,
        quickLimit: 5,
      },
      {
        id: 'turns-requests',
        what: 'SQS requests of a turn and its decision',
        measured: turnRequests.median,
        low: turnRequests.low,
        high: turnRequests.high,
        unit: '',
        ...check,
        limit: 6,
        quickLimit: 8,
      },
    ],
    facts: { 'turns.milliseconds': turnMs.median, 'turns.requests': turnRequests.median },
  };
}
