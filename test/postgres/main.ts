/**
 * `npm run test:postgres`: one, two and three engine processes on one PostgreSQL database, with SQS and workers in
 * processes of their own. Exits 1 where a run sleeps, a result is lost, an outcome is wrong or a step ran twice, and
 * nothing accounts for it.
 */
import { parseArgs } from 'node:util';
import { DISTURBANCES, type Disturbance } from './disturbances.ts';
import { startPostgres } from './postgres-server.ts';
import { header, row, unexplained } from './report.ts';
import { type Outcome, runScenario, type ScenarioOptions } from './scenario.ts';
import { runServerless, type ServerlessOptions } from './serverless/run-serverless.ts';
import { KINDS, type Kind } from './workload.ts';

const USAGE = `npm run test:postgres [-- --long] [--only NAME] [--trace]

  (nothing)        the short form, for CI: under four minutes
  --long           every number of engines, queue and disturbance
  --only PART      scenarios whose name holds this, of the long form
  --runs N         runs of each scenario (default 120, long 360)
  --per-second N   how many are started in a second (default 15)
  --kinds a,b      kinds of run (default all: ${KINDS.join(', ')})
  --poll           the transport polls (attach(engine, { poll: true })), instead of each engine as Nest does
  --trace          print what the engines noted of each run that went wrong`;

const say = (line = '') => process.stdout.write(`${line}\n`);

function readArguments() {
  const { values } = parseArgs({
    options: {
      long: { type: 'boolean', default: false },
      only: { type: 'string' },
      runs: { type: 'string' },
      'per-second': { type: 'string', default: '15' },
      kinds: { type: 'string' },
      poll: { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const kinds = values.kinds?.split(',').map((name) => {
    const kind = KINDS.find((known) => known === name);
    if (kind === undefined) throw new Error(`expected --kinds to be of ${KINDS.join(', ')}, got ${name}`);
    return kind;
  });
  const long = values.long || values.only !== undefined;
  return { ...values, long, kinds, runs: Number(values.runs ?? (long ? 360 : 120)), runsPerSecond: Number(values['per-second']) };
}

type Shape = readonly [engines: 1 | 2 | 3, fifoResults: boolean, disturbance: Disturbance];

/**
 * Kills are in the long form only: what they leave behind is judged by causes, and a cause that nobody has met yet
 * would be red by chance.
 */
const SHORT: readonly Shape[] = [
  [2, false, 'none'],
  [2, true, 'none'],
  [3, false, 'rolling'],
  [2, false, 'postgres'],
];

const LONG: readonly Shape[] = DISTURBANCES.flatMap((disturbance) =>
  ([1, 2, 3] as const).flatMap((engines) => [false, true].map((fifoResults): Shape => [engines, fifoResults, disturbance])),
);

/** The engine in a function. */
const FUNCTIONS: readonly (readonly [fifoResults: boolean, kills: boolean])[] = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
];

function functions(): ServerlessOptions[] {
  const { long, only, runs, runsPerSecond, kinds } = readArguments();
  const named = FUNCTIONS.map(
    ([fifoResults, kills]): ServerlessOptions => ({
      name: `function-${kills ? 'kills' : 'none'}-${fifoResults ? 'fifo' : 'standard'}`,
      fifoResults,
      kills,
      runs,
      runsPerSecond,
      ...(kinds === undefined ? {} : { kinds }),
    }),
  );
  if (only !== undefined) return named.filter(({ name }) => name.includes(only));
  return long ? named : named.filter(({ fifoResults, kills }) => !fifoResults && !kills);
}

function scenarios(): ScenarioOptions[] {
  const { long, only, runs, runsPerSecond, kinds, poll } = readArguments();
  const named = (long ? LONG : SHORT).map(
    ([engines, fifoResults, disturbance]): ScenarioOptions => ({
      name: `${disturbance}-${engines}-${fifoResults ? 'fifo' : 'standard'}`,
      engines,
      fifoResults,
      disturbance,
      runs,
      runsPerSecond,
      ...(kinds === undefined ? {} : { kinds: kinds satisfies Kind[] }),
      polls: poll ? 'attached' : 'as Nest',
    }),
  );
  return only === undefined ? named : named.filter(({ name }) => name.includes(only));
}

async function main(): Promise<number> {
  const { help, trace } = readArguments();
  if (help) {
    say(USAGE);
    return 0;
  }
  const postgres = await startPostgres();
  const outcomes: Outcome[] = [];
  try {
    say(`${postgres.version}`);
    say(header());
    const all = [
      ...scenarios().map((options) => () => runScenario(options, postgres)),
      ...functions().map((options) => () => runServerless(options, postgres)),
    ];
    for (const run of all) {
      const outcome = await run();
      outcomes.push(outcome);
      say(row(outcome));
      for (const finding of trace ? outcome.findings : unexplained(outcome)) {
        say(`    ${finding.wrong}: ${finding.id}: ${finding.what}${finding.cause === undefined ? '' : ` (${finding.cause})`}`);
        if (trace) for (const line of outcome.histories.get(finding.id) ?? []) say(`      ${line}`);
      }
    }
  } finally {
    await postgres.stop();
  }
  const wrong = outcomes.flatMap(unexplained).length + outcomes.flatMap(({ crashes }) => crashes).length;
  say(
    wrong === 0
      ? 'no run is asleep, none was lost, none is wrong; every step that ran twice has its cause'
      : `${wrong} that nothing accounts for`,
  );
  return wrong === 0 ? 0 : 1;
}

// What a signal ends stops its servers, too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
