/**
 * `npm run test:faults`: real engines, local event source mappings and functions, with a fault injector between the SDK
 * and SQS. Exits 1 where a run ends in a wrong state, or a step ran again and nothing accounts for it.
 */
import { parseArgs } from 'node:util';
import { runFunctionScenario } from './function-scenario.ts';
import { runHostile } from './hostile.ts';
import { runPublished } from './published.ts';
import { histories, type Outcome, rowsOf, table, unseen, violations } from './report.ts';
import { runScenario } from './scenario.ts';
import { startSqsProcess } from './sqs-process.ts';
import { FUNCTION_WORKLOAD, STEP_WORKLOAD, TURN_WORKLOAD, type Workload } from './workloads.ts';

const USAGE = `npm run test:faults [-- --steps N] [--seed N] [--rate 0.2] [--only PART] [--transport published]

  --steps N      steps of each scenario (default 1000); of those of workflows on Lambda 3 in 10, unless asked for by --only
  --bodies N     hostile bodies (default 10000)
  --seed N       repeats the choices of an earlier run, not its timing (default: SEED, else random)
  --rate N       share of requests that go wrong, 0 to 0.5 (default 0.2)
  --only PART    one (one engine), two (two engines on one store, FIFO results),
                 two-standard (two engines, standard queues), hostile,
                 turns (workflows on Lambda, one engine), turns-two (two engines, standard queues)
                 or function (the engine on Lambda, a fifth of its invocations killed)
  --trace        print what happened to each run that met a limit of the engine, too
  --transport published
                 the scenario of one engine on the published transport, for the record`;

const PARTS: readonly string[] = ['one', 'two', 'turns', 'turns-two', 'hostile', 'two-standard', 'function'];

/** From here on everything that can go wrong does. */
const ENOUGH_STEPS = 1_000;
const ENOUGH_FAULTS = 0.2;

/** Beside the other scenarios: each of their steps has two turns about it. */
const TURNS_SHARE = 0.3;
/** What a killed environment was at takes seconds to come again. */
const FUNCTION_SHARE = 0.15;
/** So short that turns are sent again, too, that are only late. */
const SILENCE_MS = 15_000;

interface Part {
  readonly report: string;
  readonly violations: readonly string[];
}

const say = (line = '') => process.stdout.write(`${line}\n`);

function readArguments() {
  const { values } = parseArgs({
    options: {
      steps: { type: 'string', default: '1000' },
      bodies: { type: 'string', default: '10000' },
      seed: { type: 'string', default: process.env['SEED'] ?? String(Math.floor(Math.random() * 1_000_000)) },
      rate: { type: 'string', default: '0.2' },
      only: { type: 'string' },
      transport: { type: 'string', default: 'ours' },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { only, transport, trace, help } = values;
  if (only !== undefined && !PARTS.includes(only)) throw new Error(`expected --only to be one of ${PARTS.join(', ')}, got ${only}`);
  if (transport !== 'ours' && transport !== 'published') throw new Error(`expected --transport to be ours or published, got ${transport}`);
  return {
    help,
    only,
    transport,
    trace,
    steps: numberOf('--steps', values.steps, 1, 1_000_000),
    bodies: numberOf('--bodies', values.bodies, 2, 1_000_000),
    seed: numberOf('--seed', values.seed, 0, 2 ** 32),
    rate: numberOf('--rate', values.rate, 0, 0.5),
  };
}

function numberOf(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!(value >= min && value <= max)) throw new Error(`expected ${name} to be a number from ${min} to ${max}, got ${text}`);
  return value;
}

async function main(): Promise<number> {
  const { steps, bodies, seed, rate, only, transport, trace, help } = readArguments();
  if (help) {
    say(USAGE);
    return 0;
  }
  // An engine whose store fails in a turn leaves a rejection that nobody handles; everything else unhandled is ours to
  // answer for.
  const unhandled: unknown[] = [];
  process.on('unhandledRejection', (reason) => {
    if (!(reason instanceof Error && reason.message === 'the store is down')) unhandled.push(reason);
  });
  say(`seed ${seed}: ${steps} steps, ${rate * 100} % of requests faulty`);
  if (transport === 'published') {
    await runPublished({ steps, seed, rate, log: say });
    return 0;
  }
  const sqs = await startSqsProcess();
  const wrong: string[] = [];
  const outcomes: Outcome[] = [];
  const wants = (part: string) => only === undefined || only === part;
  const scenario = async <Kind extends string>(
    name: string,
    title: string,
    engines: 1 | 2,
    fifoResults: boolean,
    workload: Workload<Kind>,
    remoteAdvanceSilenceMs?: number,
  ): Promise<Part> => {
    const isFunction = name === 'function';
    if (!wants(name)) return { report: '', violations: [] };
    const part = isFunction ? FUNCTION_SHARE : workload.killsInTheMiddle ? TURNS_SHARE : 1;
    const run = isFunction ? runFunctionScenario : runScenario;
    const outcome = await run(
      {
        name,
        seed,
        steps: Math.ceil(steps * (only === undefined ? part : 1)),
        rate,
        engines,
        fifoResults,
        remoteAdvanceSilenceMs,
        sqsPort: sqs.port,
        log: say,
      },
      workload,
    );
    outcomes.push(outcome);
    const found = violations(outcome);
    const traces = histories(outcome, trace ? 'all' : 'wrong').join('\n');
    return { report: `\n${title}\n${table(rowsOf(outcome))}\n${traces}`, violations: found };
  };
  const hostile = async (): Promise<Part> => {
    if (!wants('hostile')) return { report: '', violations: [] };
    const found = await runHostile(bodies, seed, sqs.port);
    return { report: `\nhostile bodies\n${table(found.rows)}`, violations: found.violations };
  };
  try {
    // Side by side: most of their time is waiting for messages to reappear. The turns by themselves: all at once is too
    // much for one process.
    const parts = [
      ...(await Promise.all([
        scenario('one', 'one engine, standard queues', 1, false, STEP_WORKLOAD),
        scenario('two', 'two engines on one store, FIFO results', 2, true, STEP_WORKLOAD),
        scenario('two-standard', 'two engines on one store, standard queues', 2, false, STEP_WORKLOAD),
        hostile(),
      ])),
      ...(await Promise.all([
        scenario('turns', 'workflows on Lambda, one engine, standard queues', 1, false, TURN_WORKLOAD),
        scenario('turns-two', 'workflows on Lambda, two engines on one store, standard queues', 2, false, TURN_WORKLOAD, SILENCE_MS),
        scenario('function', 'the engine on Lambda, on one store, standard queues', 2, false, FUNCTION_WORKLOAD),
      ])),
    ];
    for (const { report, violations } of parts) {
      if (report !== '') say(report);
      wrong.push(...violations);
    }
    if (only === undefined && steps >= ENOUGH_STEPS && rate >= ENOUGH_FAULTS) wrong.push(...unseen(outcomes));
  } finally {
    await sqs.stop();
  }
  wrong.push(...unhandled.map((reason) => `unhandled rejection: ${reason instanceof Error ? reason.stack : String(reason)}`));
  if (wrong.length > 0) say(`\n${wrong.length} violations with seed ${seed}:\n  ${wrong.slice(0, 50).join('\n  ')}`);
  else say('\nno step was lost, no run is stuck, no result was taken for another step; every repeat is accounted for');
  return wrong.length === 0 ? 0 : 1;
}

// Not by itself: what was killed is still at its retries.
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
