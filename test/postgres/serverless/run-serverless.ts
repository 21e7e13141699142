import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runStarter } from '../../../src/client/index.ts';
import { queueMapping } from '../../../src/local/event-source-mapping.ts';
import { settingsFor } from '../../../src/local/mapping-options.ts';
import { createEngineQueues } from '../../support/engine-queues.ts';
import { silentLogger } from '../../support/local-cloud.ts';
import { readExecutions } from '../executions.ts';
import { findingsOf, historyOf } from '../findings.ts';
import { Fleet } from '../fleet.ts';
import { Observer } from '../observer.ts';
import type { PostgresServer } from '../postgres-server.ts';
import type { Outcome, ScenarioOptions } from '../scenario.ts';
import { openStage } from '../stage.ts';
import { LATEST_REQUEST_MS, lastRunIdOf, makeRuns, requestFor, SERVERLESS_KINDS } from '../workload.ts';
import { withCauses } from './causes.ts';
import { EngineFunction, TIMEOUT_MS } from './engine-function.ts';
import { HEALING, LEASE_MS } from './healing.ts';

export interface ServerlessOptions extends Pick<ScenarioOptions, 'name' | 'fifoResults' | 'runs' | 'runsPerSecond' | 'kinds'> {
  /** A fifth of the invocations is killed. */
  readonly kills: boolean;
}

const PREFIX = 'durable';
/** Invocations side by side, of results, starts and wake-ups: ten together. */
const CONCURRENCY = [6, 2, 2];
/** Each environment has a pool of its own. */
const CONNECTIONS = 3;
/** A minute in life. */
const TICK_EVERY_MS = 3_000;
/** All that heals a death, one after the other, each at the next tick, with ten seconds for a busy machine. */
const ASLEEP_AFTER_MS = LEASE_MS + Object.values(HEALING).reduce((sum, ms) => sum + ms + TICK_EVERY_MS, 10_000);
/** After the last start: an environment dies in what comes of a death, too, but not for ever. */
const KILLED_FOR_MS = 30_000;

/**
 * The engine as a function: environments are processes that are frozen between invocations; nothing else of it runs.
 */
export async function runServerless(options: ServerlessOptions, postgres: PostgresServer): Promise<Outcome> {
  const { name, kills, runsPerSecond } = options;
  const stage = await openStage({ ...options, connections: CONNECTIONS }, postgres);
  const { opened, clientConfig, client, queues } = stage;
  const { executions, trace } = stage.processOptions;
  const { resultsQueueUrl, tasksQueueUrls } = queues;
  const sources = await createEngineQueues(client, { prefix: PREFIX, resultsQueueUrl, visibilitySeconds: TIMEOUT_MS / 1_000 });
  const processOptions = { ...stage.processOptions, polls: 'nobody', leaseMs: kills ? LEASE_MS : undefined } as const;
  const fleet = new Fleet(processOptions);
  const engine = new EngineFunction(processOptions, join(stage.home, 'compiled'), kills);
  const mappings = sources.map((queueUrl, index) =>
    queueMapping(
      settingsFor(
        {
          queueUrl,
          functionName: 'engine',
          timeoutMs: TIMEOUT_MS,
          maximumConcurrency: CONCURRENCY[index],
          waitTimeSeconds: 2,
          logger: silentLogger,
        },
        engine,
      ),
      { clientConfig },
    ),
  );
  const observer = new Observer({
    database: opened,
    sqs: client,
    queueUrls: [...sources, ...tasksQueueUrls.values()],
    executions,
  });
  const ticker = setInterval(() => engine.tick(), TICK_EVERY_MS);
  try {
    // The engine process is an API of the application: it sends signals, and receives nothing.
    await Promise.all([fleet.start('worker', 1), fleet.start('worker', 2), fleet.start('engine', 1)]);
    for (const mapping of mappings) mapping.start();
    const startRun = runStarter({ clientConfig, prefix: PREFIX });
    const runs = makeRuns(name, options.runs, options.kinds ?? SERVERLESS_KINDS);
    for (const run of runs) {
      const { kind, runId } = run;
      await startRun({ workflow: kind, input: { runId }, runId });
      const request = requestFor(run);
      if (request !== undefined) fleet.giveLater(request, LATEST_REQUEST_MS);
      await sleep(1_000 / runsPerSecond);
    }
    setTimeout(() => engine.calm(), KILLED_FOR_MS);
    const open = await observer.untilQuiet(
      runs.map(lastRunIdOf),
      ASLEEP_AFTER_MS,
      () => fleet.openOrders > 0,
      () => engine.kills.length,
    );
    const found = await findingsOf(runs, open, opened.store, { executions, kills: [], outages: [] });
    const ran = readExecutions(executions);
    const findings = withCauses(found, engine.kills, (id) => ran.get(id)?.[0]?.beganAt ?? 0, trace);
    const histories = new Map(findings.map(({ id }) => [id, historyOf(id.split(':')[0] ?? id, trace)] as const));
    return {
      options,
      findings,
      histories,
      seconds: stage.elapsedSeconds(),
      slowestShutdownMs: 0,
      crashes: [...fleet.crashes, ...engine.crashes],
      remarks: remarksOf(engine),
    };
  } finally {
    clearInterval(ticker);
    await Promise.all(mappings.map((mapping) => mapping.stop()));
    engine.stop();
    await fleet.stop();
    await stage.close();
  }
}

function remarksOf({ invocations, kills, coldStarts, mostAtOnce, durationsMs, failures }: EngineFunction): string[] {
  const sorted = durationsMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? 0;
  const counted = new Map<string, number>();
  for (const failure of failures) counted.set(failure, (counted.get(failure) ?? 0) + 1);
  return [
    `${invocations} invocations, ${kills.length} killed; ${coldStarts} environments, ${mostAtOnce} at once; p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
    ...[...counted].map(([failure, count]) => `${count} failed: ${failure}`),
  ];
}
