import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createQueues } from 'durable-sqs-lambda/local';
import { requireRuntime, startLambda } from '../../test/support/runtime-api.ts';
import { type Bundle, bundle, FUNCTIONS, type FunctionName } from '../peers/bundles.ts';
import { chargeEvent } from '../peers/charge-event.ts';
import { lambdaEnvironment, startSqsServer } from '../processes/sqs-server.ts';
import { figure, spread } from '../report/format.ts';
import { pairedRatio, summarize } from '../statistics.ts';
import type { Section } from './section.ts';

/** Ours once more with what the deploy plugin sets, so that stack traces name the lines in TypeScript. */
const WITH_SOURCE_MAPS = 'ours-source-maps';
const NAMES = ['ours', WITH_SOURCE_MAPS, 'aws-sdk', 'powertools', 'bare', 'core', 'nothing'] as const;
type Name = (typeof NAMES)[number];
const LABELS: Readonly<Record<Name, string>> = {
  ours: 'durable-sqs-lambda (handlers/charge-card)',
  [WITH_SOURCE_MAPS]: 'the same with --enable-source-maps, as the plugin deploys it',
  'aws-sdk': 'by hand on the AWS SDK',
  powertools: 'Powertools batch and the AWS SDK',
  bare: 'by hand on Node alone: parse, sign, send, no checks',
  core: 'the core package’s step runner alone, sends nothing',
  nothing: 'an empty function, sends nothing',
};

interface Start {
  readonly initialisedMs: number;
  readonly respondedMs: number;
}

export const coldStart: Section = {
  id: 4,
  title: 'Cold start under AWS’s own runtime loop',
  needs: [],
  steps: ({ coldStarts }) => coldStarts,
  async run({ sizes, progress }) {
    await requireRuntime();
    const folder = await mkdtemp(join(tmpdir(), 'bench-cold-start-'));
    const server = await startSqsServer();
    try {
      const bundles = new Map<Name, Bundle>();
      for (const name of NAMES) bundles.set(name, await bundle(functionOf(name), folder));
      const { resultsQueueUrl } = await createQueues({ clientConfig: server.clientConfig, steps: [] });
      const env = lambdaEnvironment(server, resultsQueueUrl);
      const starts = new Map<Name, Start[]>(NAMES.map((name) => [name, []]));
      // The first round fills the file cache and is not counted.
      for (let round = 0; round <= sizes.coldStarts; round += 1) {
        if (round > 0) progress.step(`round ${round}/${sizes.coldStarts}`);
        for (const name of NAMES) {
          const start = await startOnce(bundles.get(name)?.taskRoot ?? '', { ...env, ...environmentOf(name) });
          if (round > 0) starts.get(name)?.push(start);
        }
      }
      return report(bundles, starts);
    } finally {
      await server.stop();
      await rm(folder, { recursive: true });
    }
  },
};

function functionOf(name: Name): FunctionName {
  return name === WITH_SOURCE_MAPS ? 'ours' : name;
}

function environmentOf(name: Name): Readonly<Record<string, string>> {
  return name === WITH_SOURCE_MAPS ? { NODE_OPTIONS: '--enable-source-maps' } : {};
}

async function startOnce(taskRoot: string, env: Readonly<Record<string, string>>): Promise<Start> {
  const lambda = await startLambda({ taskRoot, handler: 'index.handler', env: { ...env, AWS_SESSION_TOKEN: 'local' } });
  try {
    const end = await lambda.invoke(chargeEvent());
    const { initialised, responded } = lambda.times;
    const consumed = end.kind === 'response' && JSON.stringify(end.payload).startsWith('{"batchItemFailures":[]');
    if (!consumed || initialised === undefined || responded === undefined) {
      throw new Error(`expected the record to be consumed, got ${JSON.stringify(end)}\n${lambda.output()}`);
    }
    return { initialisedMs: initialised, respondedMs: responded };
  } finally {
    await lambda.stop();
  }
}

function report(bundles: ReadonlyMap<Name, Bundle>, starts: ReadonlyMap<Name, readonly Start[]>) {
  const of = (name: Name, what: keyof Start) => (starts.get(name) ?? []).map((start) => start[what]);
  const kb = (name: Name) => (bundles.get(name)?.entryBytes ?? Number.NaN) / 1000;
  const toSdk = pairedRatio(of('ours', 'respondedMs'), of('aws-sdk', 'respondedMs'));
  const idle = of('nothing', 'respondedMs');
  const beyondRuntime = (name: Name) => of(name, 'respondedMs').map((ms, round) => ms - (idle[round] ?? 0));
  const beyond = pairedRatio(beyondRuntime('ours'), beyondRuntime('aws-sdk'));
  const ratio = (id: string, what: string, { median, low, high }: typeof toSdk, limit: number, quickLimit?: number) => ({
    id,
    what,
    measured: median,
    low,
    high,
    unit: '×',
    direction: 'at most' as const,
    limit,
    ...(quickLimit === undefined ? {} : { quickLimit }),
  });
  const extra = kb('ours') - kb('core');
  return {
    method: [
      'A new process of `aws-lambda-ric` with the bundle, one task of `payments.charge-card`, the SQS server in a process of its own: from the spawn to the response that ' +
        'says the record is consumed, which each sends once SQS has accepted its result. Plain HTTP on this machine: on AWS, TLS comes on top for all of them.',
      `Rounds of one start each, in turn; ${idle.length} rounds after one that fills the file cache.`,
      'Bundles by esbuild: ES module, minified, `mainFields: module, main`. What is imported only when it is needed (for us the AWS SDK) is a file of its own and counted apart.',
    ],
    tables: [
      {
        title: 'cold start',
        columns: ['', 'loaded, ms', 'first result accepted, ms', 'bundle, kB', 'loaded when needed, kB'],
        rows: NAMES.map((name) => [
          LABELS[name],
          spread(summarize(of(name, 'initialisedMs'))),
          spread(summarize(of(name, 'respondedMs'))),
          figure(kb(name)),
          figure((bundles.get(name)?.lazyBytes ?? 0) / 1000),
        ]),
      },
    ],
    charts: [
      {
        name: 'cold-start',
        title: 'Cold start to the first accepted result, ms',
        unit: 'ms',
        bars: NAMES.map((name) => {
          const { median, low, high } = summarize(of(name, 'respondedMs'));
          return {
            label: LABELS[name].replace(
              / \(handlers\/charge-card\)| alone, sends nothing|, sends nothing|, as the plugin deploys it|: parse, .*/,
              '',
            ),
            value: median,
            low,
            high,
            ours: name === 'ours',
          };
        }),
      },
    ],
    checks: [
      ratio('cold-start', 'cold start to the first accepted result, against the same step on the AWS SDK', toSdk, 0.5, 1),
      ratio('cold-start-own', 'the same, less what Node and the runtime loop take with an empty function', beyond, 0.5),
      {
        id: 'bundle',
        what: `bundle of ${FUNCTIONS.ours} beyond the core package’s step runner (${figure(kb('core'))} kB)`,
        measured: extra,
        low: extra,
        high: extra,
        unit: 'kB',
        direction: 'at most' as const,
        limit: 40,
        quickLimit: 60,
      },
    ],
    facts: Object.fromEntries(NAMES.map((name) => [`coldStartMs.${name}`, summarize(of(name, 'respondedMs')).median])),
  };
}
