import { figure, spread } from '../report/format.ts';
import type { Check, Table } from '../report/model.ts';
import type { Sizes } from '../sizes.ts';
import { pairedRatio, percentile, type Summary, summarize } from '../statistics.ts';

export const VARIANTS = ['ours', 'published'] as const;
/** The peers, and the least that a transport over SQS has to do. */
export const WITH_LIMIT = [...VARIANTS, 'bare'] as const;
export type Variant = (typeof WITH_LIMIT)[number];
export const LABELS: Readonly<Record<Variant, string>> = {
  ours: 'durable-sqs-lambda',
  published: 'published transport',
  bare: 'requests of ten and nothing else',
};
export const FLOOR_LABEL = 'engine alone, no queue';

/** What one round of one workload gave for one variant. */
export interface Round {
  readonly stepsPerSecond: number;
  readonly latencies: readonly number[];
  readonly requestsPerStep: number;
  readonly wrong: number;
  /** Microseconds of processor time per step, by process. */
  readonly cpu: { readonly server: number; readonly engine: number; readonly worker: number };
  readonly lambdaMsPerStep: number;
  readonly invocationsPerStep: number;
}

export type Rounds = Readonly<Record<Variant, readonly Round[]>>;

/** The engine without any queue: steps/s of runs at once, and p50 of one run after another. */
export interface Floor {
  readonly stepsPerSecond: readonly number[];
  readonly p50: readonly number[];
}

/** Tables, charts and checks of section 1. */
export function throughputReport(sizes: Sizes, atOnce: Rounds, oneByOne: Rounds, slow: Rounds, floor: Floor) {
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
      `“${FLOOR_LABEL}” is the same engine on a transport that answers in its own process: no transport can be faster. “${LABELS.bare}” is one that sends, ` +
        'receives and deletes ten messages per request over `node:http` and neither signs, checks, orders nor retries anything (`bench/peers/bare-transport.ts`), ' +
        'with our worker: no transport over SQS can be much faster. Processor time per step tells which process is the limit: each has one busy thread.',
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
        quickLimit: 1.3,
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
  const rows = measured(rounds).map((variant) => {
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
  const rows = measured(rounds).map((variant) => {
    const of = (process: keyof Round['cpu']) => figure(summarize(rounds[variant].map(({ cpu }) => cpu[process])).median);
    return [LABELS[variant], of('engine'), of('worker'), of('server')];
  });
  return { title: 'microseconds of processor time per step there', columns: ['', 'engine', 'worker', 'SQS server'], rows };
}

function measured(rounds: Rounds): Variant[] {
  return WITH_LIMIT.filter((variant) => rounds[variant].length > 0);
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
