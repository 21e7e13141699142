import { BenchProcess } from '../processes/bench-process.ts';
import { type Fields, numbersOf } from '../processes/fields.ts';
import { figure } from '../report/format.ts';
import { median, pairedRatio, percentile, summarize } from '../statistics.ts';
import type { Section } from './section.ts';

const LABELS: Readonly<Record<string, string>> = {
  ours: 'durable-sqs-lambda',
  'hand-written': 'hand-written loop',
  powertools: 'Powertools batch',
  middy: 'bare middy, partial-batch middleware',
  bare: 'hand-written, without the core package',
  'ours-unbundled': 'durable-sqs-lambda, not bundled',
  'hand-written-lean': 'hand-written loop, bundled with our esbuild plugin',
};
/** The batch that the targets are about; Lambda's default. */
const TARGET_BATCH = 10;

export const records: Section = {
  id: 3,
  title: 'The worker alone: time per record',
  needs: [],
  steps: ({ records: { batches } }) => batches.length,
  async run({ sizes, progress }) {
    const { batches, rounds, recordsPerRound } = sizes.records;
    const samples = new Map<number, Fields>();
    const child = await BenchProcess.start({ script: 'records.ts', env: { AWS_LAMBDA_LOG_LEVEL: 'WARN' } });
    try {
      for (const batch of batches) {
        progress.step(`batches of ${batch}`);
        samples.set(batch, await child.call('measure', { batch, rounds, recordsPerRound }));
      }
    } finally {
      await child.stop();
    }
    return report(samples, rounds);
  },
};

function report(samples: ReadonlyMap<number, Fields>, rounds: number) {
  const of = (batch: number, name: string) => numbersOf(samples.get(batch) ?? {}, name);
  const batches = [...samples.keys()];
  const ratio = (peer: string) => pairedRatio(of(TARGET_BATCH, 'ours'), of(TARGET_BATCH, peer));
  const check = (id: string, what: string, peer: string, limit: number, quickLimit: number) => {
    // One of many short rounds may hit a garbage collection: the middle half of them is what they range over.
    const ratios = of(TARGET_BATCH, 'ours').map((value, round) => value / (of(TARGET_BATCH, peer)[round] ?? Number.NaN));
    const [low, high] = [percentile(ratios, 0.25), percentile(ratios, 0.75)];
    return { id, what, measured: ratio(peer).median, low, high, unit: '×', direction: 'at most' as const, limit, quickLimit };
  };
  return {
    method: [
      `One process, no network. All decode the same tasks, call the same step and send each result through the same fake sender, which resolves at once. ` +
        `${rounds} rounds after a warm-up; the handlers take turns in each round.`,
      'The hand-written loop is `Promise.allSettled` over the records: `JSON.parse`, the core package’s `runStepHandler` (log events, `currentStep()`, hooks), ' +
        '`JSON.stringify`, send; Powertools (`BatchProcessor`, `processPartialResponse`) and middy do the same per record. The last row builds the result by hand, without the core package.',
      'The first row is ours as it is deployed: bundled with `leanCore`, which takes work out of the core package (it names a dozen closures for each step). The peers run on the package as it is; ' +
        'the last two rows show ours without that, and the hand-written loop with it.',
      'Ours also checks every field of the task, keeps a deadline, limits concurrency, and checks and escapes what it sends. Its log level is WARN.',
    ],
    tables: [
      {
        title: 'microseconds per record, median (ratio of ours to it)',
        columns: ['', ...batches.map((batch) => `batches of ${figure(batch)}`)],
        rows: Object.entries(LABELS).map(([name, label]) => [
          label,
          ...batches.map((batch) => {
            const time = figure(median(of(batch, name)));
            return name === 'ours' ? time : `${time} (${figure(pairedRatio(of(batch, 'ours'), of(batch, name)).median)})`;
          }),
        ]),
      },
    ],
    charts: [
      {
        name: 'records',
        title: `Microseconds per record, batches of ${TARGET_BATCH}`,
        unit: 'µs',
        bars: Object.entries(LABELS).map(([name, label]) => {
          const times = of(TARGET_BATCH, name);
          return { label, value: median(times), low: percentile(times, 0.25), high: percentile(times, 0.75), ours: name === 'ours' };
        }),
      },
    ],
    checks: [
      check('records', `time per record in batches of ${TARGET_BATCH}, against the hand-written loop`, 'hand-written', 1.1, 4),
      check('records-powertools', `time per record in batches of ${TARGET_BATCH}, against Powertools`, 'powertools', 1, 4),
    ],
    facts: Object.fromEntries(
      Object.keys(LABELS).map((name) => [`records.microseconds.${name}`, summarize(of(TARGET_BATCH, name)).median]),
    ),
  };
}
