import { breakEvenRuns, CONTAINERS, containerCosts, dollarsPerMonth, type FunctionUse, functionCosts } from '../engine-costs.ts';
import { PRICES } from '../prices.ts';
import { figure, spread } from '../report/format.ts';
import type { Sizes } from '../sizes.ts';
import { median, pairedRatio, percentile, type Summary, summarize } from '../statistics.ts';

export const ENGINES = ['function', 'container'] as const;
export type Engine = (typeof ENGINES)[number];
export const LABELS: Readonly<Record<Engine, string>> = { function: 'engine in a function', container: 'engine in a container' };
/** Of the function whose costs are reckoned. */
export const MEMORY_MB = 512;

/** Per run, but for the latencies. */
export interface Load {
  readonly runs: number;
  readonly p50: number;
  readonly p99: number;
  readonly wrong: number;
  readonly sqsRequests: number;
  readonly cpuMs: number;
}

export interface FunctionLoad extends Load, FunctionUse {
  readonly invocations: number;
}

export interface ContainerRound {
  readonly oneByOne: Load;
  readonly bursts: Load;
}

export interface FunctionRound extends ContainerRound {
  readonly oneByOne: FunctionLoad;
  readonly bursts: FunctionLoad;
  readonly tick: FunctionUse;
  /** Of each environment. */
  readonly initMs: readonly number[];
  readonly firstMs: readonly number[];
  /** Of the round's first run, by environments that are not there yet. */
  readonly coldRunMs: number;
  readonly environments: number;
  readonly failures: number;
}

export interface Rounds {
  readonly function: readonly FunctionRound[];
  readonly container: readonly ContainerRound[];
}

const LOADS = [
  ['oneByOne', 'one after another'],
  ['bursts', 'in bursts'],
] as const;
const RUNS_PER_MONTH = [0, 100_000, 1_000_000, 10_000_000] as const;

export function report(rounds: Rounds, { engineFunction: sizes }: Sizes) {
  const checks = checksOf(rounds);
  return {
    method: [
      'A workflow of three steps, started by message, on PostgreSQL. A run lasts from the send of its start to the moment in which the database has it as completed ' +
        '(a trigger notifies). Steps are served by one worker process on either side, and cost nothing here.',
      'The function is the bundle of `sqsEngineHandler` in processes of AWS’s own runtime loop that stand still (SIGSTOP) between invocations. Mappings of results, ' +
        'starts and wake-ups with a batch size of 10 invoke it, two invocations each at most. The container is one process with `attach(engine, { poll: true })`.',
      `${figure(sizes.runsOneByOne)} runs one after another, then ${figure(sizes.bursts)} bursts of ${figure(sizes.runsPerBurst)}. Every round has fresh processes, queues and a ` +
        'fresh database, and begins with a warm-up; the two take turns. Of starts, the median and the quartiles of all environments; of the rest, the median and the ' +
        'range of the rounds.',
      'Billed time runs from the event to the answer, rounded up to a millisecond for each invocation. The environments share the processors of this machine with ' +
        'the database, SQS and the worker, so it is more than it would be alone. AWS’s network, TLS and the time between SQS and the mapping are missing from all times.',
      `Dollars: ${PRICES.region}, ${PRICES.date}, arm64, ${MEMORY_MB} MB; without the database, the steps’ own functions, logs, VPC and data transfer. A function has a whole ` +
        `processor from 1,769 MB on; with ${MEMORY_MB} MB its processor time is reckoned 3.5 times as long, its waiting time the same. Containers: ${CONTAINERS.count} of Fargate, ` +
        `${CONTAINERS.vcpu} vCPU and ${CONTAINERS.gb} GB each.`,
      'An idle mapping keeps five long polls of 20 s open; there are three, and a tick a minute. Cold starts are not in the dollars.',
    ],
    tables: [latencyTable(rounds), useTable(rounds), startTable(rounds), runDollars(rounds), monthDollars(rounds)],
    charts: [monthChart(rounds)],
    checks,
    facts: {},
  };
}

function latencyTable(rounds: Rounds) {
  const of = (engine: Engine, load: 'oneByOne' | 'bursts', name: keyof Load) => rounds[engine].map((round) => round[load][name]);
  return {
    title: 'a run of three steps',
    columns: ['', 'p50 ms', 'p99 ms', 'SQS requests a run', 'processor ms a run', 'runs without an end'],
    rows: LOADS.flatMap(([load, label]) =>
      ENGINES.map((engine) => [
        `${LABELS[engine]}, ${label}`,
        spread(summarize(of(engine, load, 'p50'))),
        spread(summarize(of(engine, load, 'p99'))),
        spread(summarize(of(engine, load, 'sqsRequests'))),
        spread(summarize(of(engine, load, 'cpuMs'))),
        figure(sum(of(engine, load, 'wrong'))),
      ]),
    ),
  };
}

function useTable({ function: rounds }: Rounds) {
  return {
    title: 'what the function takes',
    columns: ['', 'invocations a run', 'billed ms a run'],
    rows: [
      ...LOADS.map(([load, label]) => [
        label,
        spread(summarize(rounds.map((round) => round[load].invocations))),
        spread(summarize(rounds.map((round) => round[load].billedMs))),
      ]),
      ['a tick with nothing to do', '1', spread(summarize(rounds.map(({ tick }) => tick.billedMs)))],
    ],
  };
}

function startTable({ function: rounds }: Rounds) {
  const [init, first] = [rounds.flatMap(({ initMs }) => initMs), rounds.flatMap(({ firstMs }) => firstMs)];
  return {
    title: 'cold starts of the function',
    columns: ['environments', 'from the process to the loaded bundle, ms', 'first invocation, ms', 'first run of a round, ms'],
    rows: [
      [figure(init.length), spread(quartiles(init)), spread(quartiles(first)), spread(summarize(rounds.map(({ coldRunMs }) => coldRunMs)))],
    ],
  };
}

function runDollars(rounds: Rounds) {
  return {
    title: 'dollars per million runs, the steps’ own functions apart',
    columns: [
      '',
      'function, time as measured',
      `function, processor of ${MEMORY_MB} MB`,
      'container: SQS alone',
      'break-even, runs a month',
    ],
    rows: LOADS.map(([load, label]) => {
      const { whole, share, container } = costsOf(rounds, load);
      return [
        label,
        dollars(whole.perMillionRuns),
        dollars(share.perMillionRuns),
        dollars(container.perMillionRuns),
        figure(Math.round(breakEvenRuns(share, container) / 1_000) * 1_000),
      ];
    }),
  };
}

function monthDollars(rounds: Rounds) {
  return {
    title: 'dollars a month, runs one after another',
    columns: ['runs a month', LABELS.function, LABELS.container],
    rows: RUNS_PER_MONTH.map((runs) => {
      const { share, container } = costsOf(rounds, 'oneByOne');
      return [figure(runs), dollars(dollarsPerMonth(share, runs)), dollars(dollarsPerMonth(container, runs))];
    }),
  };
}

function monthChart(rounds: Rounds) {
  const { share, container } = costsOf(rounds, 'oneByOne');
  return {
    name: 'engine-dollars',
    title: 'Dollars a month by runs a month: engine in a function, engine in two containers',
    unit: '$',
    bars: RUNS_PER_MONTH.flatMap((runs) =>
      ENGINES.map((engine) => {
        const value = dollarsPerMonth(engine === 'function' ? share : container, runs);
        const label = `${figure(runs)} runs, ${engine}`;
        return { label, value, low: value, high: value, ours: engine === 'function' };
      }),
    ),
  };
}

/** By the medians of the rounds. */
function costsOf(rounds: Rounds, load: 'oneByOne' | 'bursts') {
  const of = (name: keyof FunctionLoad) => median(rounds.function.map((round) => round[load][name]));
  const tick = {
    billedMs: median(rounds.function.map((round) => round.tick.billedMs)),
    cpuMs: median(rounds.function.map((round) => round.tick.cpuMs)),
  };
  const run = { billedMs: of('billedMs'), cpuMs: of('cpuMs'), invocations: of('invocations'), sqsRequests: of('sqsRequests') };
  const withoutWork = (use: FunctionUse) => ({ ...use, cpuMs: 0 });
  return {
    whole: functionCosts(MEMORY_MB, { ...run, ...withoutWork(run) }, withoutWork(tick)),
    share: functionCosts(MEMORY_MB, run, tick),
    container: containerCosts(median(rounds.container.map((round) => round[load].sqsRequests))),
  };
}

function checksOf(rounds: Rounds) {
  const [ours, theirs] = ENGINES.map((engine) => rounds[engine].map(({ oneByOne }) => oneByOne.p50));
  const p50 = pairedRatio(ours ?? [], theirs ?? []);
  const lost = sum([...rounds.function, ...rounds.container].flatMap(({ oneByOne, bursts }) => [oneByOne.wrong, bursts.wrong]));
  const failed = sum(rounds.function.map(({ failures }) => failures));
  const direction = 'at most' as const;
  const none = (id: string, what: string, measured: number) => ({
    id,
    what,
    measured,
    low: measured,
    high: measured,
    unit: '',
    direction,
    limit: 0,
    quickLimit: 0,
  });
  return [
    {
      id: 'engine-function-p50',
      what: 'p50 of a run of three steps on an engine in a function, against the same in a container',
      measured: p50.median,
      low: p50.low,
      high: p50.high,
      unit: '×',
      direction,
      limit: 3,
      quickLimit: 6,
    },
    none('engine-function-lost', 'runs without an end there', lost),
    none('engine-function-failed', 'invocations of it that failed', failed),
  ];
}

function quartiles(samples: readonly number[]): Summary {
  return { median: median(samples), low: percentile(samples, 0.25), high: percentile(samples, 0.75) };
}

function dollars(amount: number): string {
  return `$${amount.toFixed(2)}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
