import { createQueues } from 'durable-sqs-lambda/local';
import { BenchProcess } from '../processes/bench-process.ts';
import { numberOf } from '../processes/fields.ts';
import { lambdaEnvironment, startSqsServer } from '../processes/sqs-server.ts';
import { figure } from '../report/format.ts';
import type { Check } from '../report/model.ts';
import { median } from '../statistics.ts';
import type { Section, SectionInput } from './section.ts';

const KINDS = { batch: 'one batch', dispatches: 'tasks dispatched at once', results: 'backlog of results' } as const;
type Kind = keyof typeof KINDS;
const KIND_NAMES: readonly Kind[] = ['batch', 'dispatches', 'results'];

interface Grown {
  readonly kind: Kind;
  readonly size: number;
  readonly microseconds: number;
  readonly bytes: number;
}

const MEMORY_MB = 256;
/** Sizes below this have a share of what is paid once in them. */
const FLAT_FROM = 1_000;

export const growth: Section = {
  id: 5,
  title: 'Growth: time and memory per step',
  needs: [],
  steps: ({ growth: { batches, backlogs } }) => batches.length + 2 * backlogs.length + 2,
  async run(input) {
    const { batches, backlogs } = input.sizes.growth;
    const grown: Grown[] = [];
    for (const [kind, sizes] of [
      ['batch', batches],
      ['dispatches', backlogs],
      ['results', backlogs],
    ] as const) {
      for (const size of sizes) grown.push(await measure(kind, size, input));
    }
    return report(grown, await bigBatch(input), await waitingSteps(input), input.sizes.waitingSteps);
  },
};

/** Each size in fresh processes: what an earlier one left on the heap would be in the figure. */
async function measure(kind: Kind, size: number, { sizes, progress }: SectionInput): Promise<Grown> {
  progress.step(`${KINDS[kind]}: ${figure(size)}`);
  const rounds: { microseconds: number; bytes: number }[] = [];
  for (let round = 0; round < sizes.growth.rounds; round += 1) {
    const child = await BenchProcess.start({ script: 'growth.ts', nodeOptions: ['--expose-gc'], env: { AWS_LAMBDA_LOG_LEVEL: 'WARN' } });
    try {
      const answer = await child.call(kind, { size });
      rounds.push({ microseconds: numberOf(answer, 'microseconds'), bytes: numberOf(answer, 'bytes') });
    } finally {
      await child.stop();
    }
  }
  return { kind, size, microseconds: median(rounds.map((round) => round.microseconds)), bytes: median(rounds.map(({ bytes }) => bytes)) };
}

async function bigBatch({ sizes, progress }: SectionInput) {
  progress.step(`one invocation of ${figure(sizes.bigBatch)} records in ${MEMORY_MB} MB`);
  const server = await startSqsServer();
  try {
    const { resultsQueueUrl } = await createQueues({ clientConfig: server.clientConfig, steps: [] });
    const child = await BenchProcess.start({
      script: 'big-batch.ts',
      env: lambdaEnvironment(server, resultsQueueUrl),
      nodeOptions: [`--max-old-space-size=${Math.floor(MEMORY_MB * 0.9)}`, `--max-semi-space-size=${Math.floor(MEMORY_MB * 0.05)}`],
    });
    try {
      const answer = await child.call('run', { records: sizes.bigBatch });
      const of = (name: string) => numberOf(answer, name);
      return {
        seconds: of('milliseconds') / 1000,
        failed: of('failed'),
        eventMb: of('eventBytes') / 1e6,
        peakMb: of('peakMb'),
        records: sizes.bigBatch,
      };
    } finally {
      await child.stop();
    }
  } finally {
    await server.stop();
  }
}

/** Bytes per step on our transport beyond those on one that keeps nothing: while all wait, and when all are done. */
async function waitingSteps({ sizes: { waitingSteps: steps }, progress }: SectionInput) {
  progress.step(`${figure(steps)} steps that wait`);
  const weigh = async (variant: string) => {
    const child = await BenchProcess.start({ script: 'waiting.ts', nodeOptions: ['--expose-gc'] });
    try {
      const answer = await child.call('measure', { variant, steps });
      return { waiting: numberOf(answer, 'waiting') / steps, done: numberOf(answer, 'done') / steps };
    } finally {
      await child.stop();
    }
  };
  const [ours, none] = [await weigh('ours'), await weigh('none')];
  return { waiting: ours.waiting - none.waiting, done: ours.done - none.done, engine: none.waiting };
}

type BigBatch = Awaited<ReturnType<typeof bigBatch>>;
type Waiting = Awaited<ReturnType<typeof waitingSteps>>;

function report(grown: readonly Grown[], big: BigBatch, waiting: Waiting, waitingCount: number) {
  const check = (id: string, what: string, measured: number, unit: string, limit: number, quickLimit: number): Check => ({
    id,
    what,
    measured,
    low: measured,
    high: measured,
    unit,
    direction: 'at most',
    limit,
    quickLimit,
  });
  return {
    method: [
      'Without network, each size in fresh processes after a warm-up. A batch is one invocation of our handler with a sender that resolves at once; tasks and results go ' +
        'through `SqsTransport` and the AWS SDK to an SQS in memory that keeps nothing. Memory is what is alive after a garbage collection: of a batch at its last send, beyond the event; ' +
        'of tasks when all are accepted; of results when all are deleted.',
      `The batch of ${figure(big.records)} records runs in a process with the heap that Lambda’s runtime gives to ${MEMORY_MB} MB (nine tenths), and sends to the SQS server. Its peak is that of the whole process.`,
      `A waiting step is one of ${figure(waitingCount)} runs of a real engine that were dispatched and not answered: heap on our transport less heap on one that keeps nothing.`,
    ],
    tables: [
      {
        title: 'per record, task or result',
        columns: ['', 'size', 'µs', 'bytes alive'],
        rows: grown.map(({ kind, size, microseconds, bytes }) => [
          KINDS[kind],
          figure(size),
          figure(microseconds),
          figure(Math.round(bytes)),
        ]),
      },
      {
        title: 'one invocation',
        columns: ['records', 'event MB', 'seconds', 'peak MB of the process', 'records not consumed'],
        rows: [[figure(big.records), figure(big.eventMb), figure(big.seconds), figure(big.peakMb), figure(big.failed)]],
      },
      {
        title: 'memory per waiting step',
        columns: ['', 'bytes'],
        rows: [
          ['our transport, while it waits', figure(Math.round(waiting.waiting))],
          ['our transport, when it is done', figure(Math.round(waiting.done))],
          ['engine and in-memory store, while it waits', figure(Math.round(waiting.engine))],
        ],
      },
    ],
    charts: [],
    checks: [
      ...KIND_NAMES.map((kind) =>
        check(
          `flat-${kind}`,
          `time each, ${KINDS[kind]}: the largest size against ${figure(FLAT_FROM)}`,
          growthOf(grown, kind),
          '×',
          1.5,
          4,
        ),
      ),
      check('big-batch', `peak memory of one invocation with ${figure(big.records)} records`, big.peakMb, 'MB', MEMORY_MB, MEMORY_MB),
      check('big-batch-failures', 'records of it that were not consumed', big.failed, '', 0, 0),
      check('waiting', 'memory per waiting step in the engine’s transport', waiting.waiting / 1000, 'kB', 2, 4),
      check('waiting-done', 'the same when all are done', waiting.done / 1000, 'kB', 0.1, 1),
    ],
    facts: {},
  };
}

/** Time each at the largest size over that at {@link FLAT_FROM}. */
function growthOf(grown: readonly Grown[], kind: Kind): number {
  const ofKind = grown.filter((one) => one.kind === kind && one.size >= FLAT_FROM);
  return (ofKind.at(-1)?.microseconds ?? Number.NaN) / (ofKind[0]?.microseconds ?? Number.NaN);
}
