/**
 * `npm run test:faults`: real engines, local event source mappings and functions, with a fault injector between the SDK and SQS.
 * Exits 1 where a run ends in a wrong state, or a step ran again and nothing accounts for it.
 */
import { parseArgs } from 'node:util';
import { rowsOf, table, violations } from './report.ts';
import { runScenario } from './scenario.ts';
import { startSqsProcess } from './sqs-process.ts';

const USAGE = `npm run test:faults [-- --steps N] [--seed N] [--rate 0.2]

  --steps N    steps of each scenario (default 1000)
  --seed N     repeats the choices of an earlier run, not its timing (default: SEED, else random)
  --rate N     share of requests that go wrong, 0 to 0.5 (default 0.2)`;

const say = (line = '') => process.stdout.write(`${line}\n`);

function readArguments() {
  const { values } = parseArgs({
    options: {
      steps: { type: 'string', default: '1000' },
      seed: { type: 'string', default: process.env['SEED'] ?? String(Math.floor(Math.random() * 1_000_000)) },
      rate: { type: 'string', default: '0.2' },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    help: values.help,
    steps: numberOf('--steps', values.steps, 1, 1_000_000),
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
  const { steps, seed, rate, help } = readArguments();
  if (help) {
    say(USAGE);
    return 0;
  }
  // An engine whose store fails in a turn also leaves a rejection that nobody handles.
  const unhandled: unknown[] = [];
  process.on('unhandledRejection', (reason) => {
    if (!(reason instanceof Error && reason.message === 'the store is down')) unhandled.push(reason);
  });
  say(`seed ${seed}: ${steps} steps, ${rate * 100} % of requests faulty`);
  const sqs = await startSqsProcess();
  const wrong: string[] = [];
  try {
    say('\none engine, standard queues');
    const outcome = await runScenario({ name: 'one', seed, steps, rate, engines: 1, sqsPort: sqs.port, log: say });
    say(`\n${table(rowsOf(outcome))}`);
    wrong.push(...violations(outcome));
  } finally {
    await sqs.stop();
  }
  wrong.push(...unhandled.map((reason) => `unhandled rejection: ${reason instanceof Error ? reason.stack : String(reason)}`));
  if (wrong.length > 0) say(`\n${wrong.length} violations with seed ${seed}:\n  ${wrong.slice(0, 50).join('\n  ')}`);
  else say(`\nno step was lost, no run is stuck, no result was taken for another step; every repeat is accounted for`);
  return wrong.length === 0 ? 0 : 1;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  },
);
