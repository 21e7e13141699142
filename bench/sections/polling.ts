import { SQSClient } from '@aws-sdk/client-sqs';
import { stepResultBody } from '../peers/step-result.ts';
import { BenchProcess } from '../processes/bench-process.ts';
import { numberOf } from '../processes/fields.ts';
import { filledQueue } from '../processes/fill-queue.ts';
import { type SqsServer, startSqsServer } from '../processes/sqs-server.ts';
import { figure, percent, spread } from '../report/format.ts';
import { median, pairedRatio, summarize } from '../statistics.ts';
import type { Section } from './section.ts';

const VARIANTS = ['ours', 'sqs-consumer', 'sdk-loop'] as const;
type Variant = (typeof VARIANTS)[number];
const LABELS: Readonly<Record<Variant, string>> = {
  ours: 'durable-sqs-lambda',
  'sqs-consumer': 'sqs-consumer',
  'sdk-loop': 'plain SDK loop',
};

interface Round {
  readonly resultsPerSecond: number;
  readonly requestsPerResult: number;
  /** Share of the time in which the server, and the poller, used a processor. */
  readonly serverBusy: number;
  readonly pollerBusy: number;
}

export const polling: Section = {
  id: 2,
  title: 'Polling results',
  needs: [],
  steps: ({ rounds }) => rounds * VARIANTS.length,
  async run({ sizes, progress }) {
    const server = await startSqsServer();
    const client = new SQSClient(server.clientConfig);
    const rounds: Record<Variant, Round[]> = { ours: [], 'sqs-consumer': [], 'sdk-loop': [] };
    try {
      for (let round = 1; round <= sizes.rounds; round += 1) {
        for (const variant of VARIANTS) {
          progress.step(`round ${round}/${sizes.rounds}, ${LABELS[variant]}`);
          rounds[variant].push(await measureOnce(server, client, variant, round, sizes.polledResults));
        }
      }
    } finally {
      client.destroy();
      await server.stop();
    }
    return report(rounds, sizes.polledResults);
  },
};

async function measureOnce(server: SqsServer, client: SQSClient, variant: Variant, round: number, results: number): Promise<Round> {
  const { endpoint, region } = server;
  const warmUp = Math.ceil(results / 10);
  const warmUpUrl = await filledQueue(client, `warm-up-${variant}-${round}`, warmUp, stepResultBody);
  const queueUrl = await filledQueue(client, `results-${variant}-${round}`, results, stepResultBody);
  const poller = await BenchProcess.start({ script: 'poller.ts' });
  try {
    await poller.call('drain', { endpoint, region, variant, queueUrl: warmUpUrl, results: warmUp });
    const before = { requests: await server.requests(), server: await server.cpuMs(), poller: await poller.cpuMs() };
    const milliseconds = numberOf(await poller.call('drain', { endpoint, region, variant, queueUrl, results }), 'milliseconds');
    return {
      resultsPerSecond: (results / milliseconds) * 1000,
      requestsPerResult: ((await server.requests()) - before.requests) / results,
      serverBusy: ((await server.cpuMs()) - before.server) / milliseconds,
      pollerBusy: ((await poller.cpuMs()) - before.poller) / milliseconds,
    };
  } finally {
    await poller.stop();
  }
}

function report(rounds: Readonly<Record<Variant, readonly Round[]>>, results: number) {
  const of = (variant: Variant, name: keyof Round) => rounds[variant].map((round) => round[name]);
  const speeds = (variant: Variant) => of(variant, 'resultsPerSecond');
  const ratio = pairedRatio(speeds('ours'), speeds('sqs-consumer'));
  return {
    method: [
      `A queue that holds ${figure(results)} results of about 130 bytes, the SQS server and the poller each in a process of its own. The time runs from the start of ` +
        'the poller to the last delete; a warm-up on another queue goes before, in the same process.',
      'Ours is `SqsTransport` with `onResult`: results are checked, put in order by run and handed over one by one. `sqs-consumer` is one Consumer with ' +
        '`handleMessageBatch` and `batchSize: 10`; the plain loop receives ten and deletes ten, one request after another. Each parses every body.',
      'Busy is processor time over time; a process whose one thread is busy all the time is the limit of the others.',
    ],
    tables: [
      {
        title: `${figure(results)} results`,
        columns: ['', 'results/s', 'requests per result', 'server busy', 'poller busy'],
        rows: VARIANTS.map((variant) => [
          LABELS[variant],
          spread(summarize(speeds(variant))),
          spread(summarize(of(variant, 'requestsPerResult'))),
          percent(median(of(variant, 'serverBusy'))),
          percent(median(of(variant, 'pollerBusy'))),
        ]),
      },
    ],
    charts: [
      {
        name: 'polling',
        title: 'Results polled per second, deletes included',
        unit: '',
        bars: VARIANTS.map((variant) => {
          const { median, low, high } = summarize(speeds(variant));
          return { label: LABELS[variant], value: median, low, high, ours: variant === 'ours' };
        }),
      },
    ],
    checks: [
      {
        id: 'polling',
        what: 'results polled per second, against sqs-consumer',
        measured: ratio.median,
        low: ratio.low,
        high: ratio.high,
        unit: '×',
        direction: 'at least' as const,
        limit: 3,
        quickLimit: 1,
      },
    ],
    facts: {},
  };
}
