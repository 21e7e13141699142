import { createQueues } from 'durable-sqs-lambda/local';
import { findPostgres, type PostgresServer, startPostgres } from '../../test/postgres/postgres-server.ts';
import { ECHO_STEP } from '../peers/echo-step.ts';
import { BenchProcess } from '../processes/bench-process.ts';
import { type Fields, numberOf, numbersOf } from '../processes/fields.ts';
import { findRedis, type RedisServer, startRedis } from '../processes/redis-server.ts';
import { lambdaEnvironment, type SqsServer, startSqsServer } from '../processes/sqs-server.ts';
import { figure, spread } from '../report/format.ts';
import type { Check } from '../report/model.ts';
import type { Sizes } from '../sizes.ts';
import { pairedRatio, percentile, summarize } from '../statistics.ts';
import type { Section } from './section.ts';

const VARIANTS = ['ours', 'published', 'bullmq', 'floor'] as const;
type Variant = (typeof VARIANTS)[number];
const LABELS: Readonly<Record<Variant, string>> = {
  ours: 'durable-sqs-lambda',
  published: 'published transport on SQS',
  bullmq: "the peer's transport on Redis (BullMQ)",
  floor: 'engine alone, no queue',
};

interface Servers {
  readonly sqs: SqsServer;
  readonly redis: RedisServer;
  readonly postgres: PostgresServer;
}

interface Round {
  readonly stepsPerSecond: number;
  /** Microseconds of the engine's processor time per step, of runs at once. */
  readonly engineCpu: number;
  readonly p50: number;
  readonly p99: number;
  readonly wrong: number;
  /** The same runs one after another where the store takes no time: what queue, worker and engine take. */
  readonly p50InMemory: number;
}

export const postgres: Section = {
  id: 7,
  title: 'An engine on PostgreSQL: ours, the published transport and BullMQ',
  needs: [],
  steps: ({ rounds }) => rounds * VARIANTS.length,
  ready: () => Promise.all([findPostgres(), findRedis()]),
  async run({ sizes, progress }) {
    const rounds: Record<Variant, Round[]> = { ours: [], published: [], bullmq: [], floor: [] };
    await withServers(async (servers) => {
      for (let round = 1; round <= sizes.rounds; round += 1) {
        for (const variant of VARIANTS) {
          progress.step(`round ${round}/${sizes.rounds}, ${LABELS[variant]}`);
          rounds[variant].push(await measureOnce(servers, variant, `${variant}_${round}`, sizes));
        }
      }
    });
    return report(rounds, sizes);
  },
};

async function withServers(use: (servers: Servers) => Promise<void>): Promise<void> {
  const started: { stop(): Promise<void> }[] = [];
  const start = async <Server extends { stop(): Promise<void> }>(starting: Promise<Server>): Promise<Server> => {
    const server = await starting;
    started.push(server);
    return server;
  };
  try {
    await use({ postgres: await start(startPostgres()), redis: await start(startRedis()), sqs: await start(startSqsServer()) });
  } finally {
    for (const server of started.reverse()) await server.stop();
  }
}

async function measureOnce(servers: Servers, variant: Variant, name: string, sizes: Sizes): Promise<Round> {
  const { runsAtOnce, runsOneByOne, warmUpRuns } = sizes.postgres;
  const { port: databasePort, user: databaseUser, database } = await servers.postgres.createDatabase(name);
  const onPostgres = await withEngine(
    servers,
    variant,
    name,
    { store: 'postgres', databasePort, databaseUser, database },
    async (engine) => {
      await engine.call('atOnce', { runs: warmUpRuns });
      const before = await engine.cpuMs();
      const atOnce = await engine.call('atOnce', { runs: runsAtOnce });
      const engineCpu = (((await engine.cpuMs()) - before) * 1000) / runsAtOnce;
      const oneByOne = await engine.call('oneByOne', { runs: runsOneByOne });
      const latencies = numbersOf(oneByOne, 'latencies');
      return {
        stepsPerSecond: (numberOf(atOnce, 'completed') / numberOf(atOnce, 'milliseconds')) * 1000,
        engineCpu,
        p50: percentile(latencies, 0.5),
        p99: percentile(latencies, 0.99),
        wrong: numberOf(atOnce, 'wrong') + numberOf(oneByOne, 'wrong'),
      };
    },
  );
  const p50InMemory = await withEngine(servers, variant, `${name}_memory`, { store: 'memory' }, async (engine) => {
    await engine.call('atOnce', { runs: warmUpRuns });
    return percentile(numbersOf(await engine.call('oneByOne', { runs: runsOneByOne }), 'latencies'), 0.5);
  });
  return { ...onPostgres, p50InMemory };
}

/** A fresh engine and a fresh worker, with queues of their own. */
async function withEngine<T>(
  { sqs, redis }: Servers,
  variant: Variant,
  name: string,
  store: Fields,
  use: (engine: BenchProcess) => Promise<T>,
): Promise<T> {
  const { endpoint, region, clientConfig } = sqs;
  const queues = await createQueues({ clientConfig, steps: [ECHO_STEP], prefix: name, functionTimeoutSeconds: 30 });
  const env = lambdaEnvironment(sqs, queues.resultsQueueUrl);
  const [engine, worker] = await Promise.all([
    BenchProcess.start({ script: 'postgres-engine.ts', env }),
    BenchProcess.start({ script: variant === 'bullmq' ? 'bullmq-worker.ts' : 'worker.ts', env }),
  ]);
  try {
    const tasksQueueUrl = queues.tasksQueueUrls.get(ECHO_STEP) ?? '';
    const common = { endpoint, region, variant, prefix: name, redisPort: redis.port, tasksQueueUrl };
    await Promise.all([engine.call('open', { ...common, ...store }), worker.call('open', { ...common, workMs: 0 })]);
    return await use(engine);
  } finally {
    await Promise.all([engine.stop(), worker.stop()]);
  }
}

function report(rounds: Readonly<Record<Variant, readonly Round[]>>, { postgres }: Sizes) {
  const of = (variant: Variant, name: keyof Round) => rounds[variant].map((round) => round[name]);
  const check = (id: string, what: string, name: keyof Round, peer: Variant, rest: Pick<Check, 'direction' | 'limit' | 'quickLimit'>) => {
    const { median, low, high } = pairedRatio(of('ours', name), of(peer, name));
    return { id, what, measured: median, low, high, unit: '×', ...rest };
  };
  const [atLeast, atMost] = ['at least' as const, 'at most' as const];
  const runs = figure(postgres.runsAtOnce);
  return {
    method: [
      'One engine on PostgreSQL by `@dudousxd/nestjs-durable-store-mikro-orm`, with its default pool of ten connections; engine, worker, SQS, Redis and ' +
        'PostgreSQL each in a process of its own, on one machine. Every round starts a fresh engine and worker on a fresh database; the variants take turns.',
      "The peer's transport over Redis runs fifty steps at a time, as many as the worker on Lambda is given; a queue there is no SQS, but a list in " +
        'memory, with no request to sign. “engine alone” answers in its own process: no transport can be faster on this store.',
      'A store in memory takes no time: what is left of the p50 there is the way of a task and its result over the queue.',
    ],
    tables: [
      {
        title: `${runs} one-step runs at once, and ${figure(postgres.runsOneByOne)} one after another`,
        columns: ['', 'steps/s', "engine's µs per step", 'p50 ms', 'p99 ms', 'p50 ms, store in memory', 'runs in a wrong state'],
        rows: VARIANTS.map((variant) => [
          LABELS[variant],
          spread(summarize(of(variant, 'stepsPerSecond'))),
          spread(summarize(of(variant, 'engineCpu'))),
          spread(summarize(of(variant, 'p50'))),
          spread(summarize(of(variant, 'p99'))),
          spread(summarize(of(variant, 'p50InMemory'))),
          figure(of(variant, 'wrong').reduce((sum, wrong) => sum + wrong, 0)),
        ]),
      },
    ],
    charts: [
      {
        name: 'postgres',
        title: `Steps per second on PostgreSQL, ${runs} one-step runs at once`,
        unit: '',
        bars: VARIANTS.map((variant) => {
          const { median, low, high } = summarize(of(variant, 'stepsPerSecond'));
          return { label: LABELS[variant], value: median, low, high, ours: variant === 'ours' };
        }),
      },
    ],
    checks: [
      check('postgres-published', 'steps per second on PostgreSQL, against the published transport', 'stepsPerSecond', 'published', {
        direction: atLeast,
        limit: 1.5,
        quickLimit: 0.9,
      }),
      check('postgres-bullmq', 'steps per second on PostgreSQL, against BullMQ', 'stepsPerSecond', 'bullmq', {
        direction: atLeast,
        limit: 1,
        quickLimit: 0.6,
      }),
      check('postgres-cpu', "the engine's processor time per step there, against BullMQ", 'engineCpu', 'bullmq', {
        direction: atMost,
        limit: 1,
        quickLimit: 1.5,
      }),
      check('postgres-p50', 'p50 of runs one after another on PostgreSQL, against BullMQ', 'p50', 'bullmq', {
        direction: atMost,
        limit: 1.1,
        quickLimit: 2,
      }),
    ],
    facts: {},
  };
}
