import { setTimeout as sleep } from 'node:timers/promises';
import { type Disturbance, disturb } from './disturbances.ts';
import { type Finding, findingsOf, historyOf } from './findings.ts';
import { Fleet } from './fleet.ts';
import { Observer } from './observer.ts';
import type { PostgresServer } from './postgres-server.ts';
import { openStage } from './stage.ts';
import { KINDS, type Kind, LATEST_REQUEST_MS, LONGEST_REST_MS, lastRunIdOf, makeRuns, requestFor } from './workload.ts';

export interface ScenarioOptions {
  readonly name: string;
  readonly engines: 1 | 2 | 3;
  readonly fifoResults: boolean;
  readonly disturbance: Disturbance;
  readonly runs: number;
  readonly runsPerSecond: number;
  readonly kinds?: readonly Kind[];
  readonly polls: 'as Nest' | 'attached';
}

export interface Outcome {
  readonly options: Pick<ScenarioOptions, 'name' | 'runs'>;
  readonly findings: readonly Finding[];
  /** What the engines noted of the runs that went wrong, by run id. */
  readonly histories: ReadonlyMap<string, readonly string[]>;
  readonly seconds: number;
  /** The longest an engine took from SIGTERM to its end, milliseconds. */
  readonly slowestShutdownMs: number;
  readonly crashes: readonly string[];
  /** What else is worth a line. */
  readonly remarks?: readonly string[];
}

/** The promise: nothing is asleep five seconds after its last result or due timer. */
const ASLEEP_AFTER_MS = 5_000;
/** So that a run whose engine was killed is free soon; the engine's own is 30 seconds. */
const LEASE_WHERE_KILLED_MS = 5_000;
/** The engine's own connection pool. */
const CONNECTIONS = 10;

export async function runScenario(options: ScenarioOptions, postgres: PostgresServer): Promise<Outcome> {
  const { name, engines, disturbance, polls } = options;
  const stage = await openStage({ ...options, connections: CONNECTIONS }, postgres);
  const { processOptions, opened, sqs, client, queues } = stage;
  const { executions, trace } = processOptions;
  const leaseMs = disturbance === 'kills' ? LEASE_WHERE_KILLED_MS : undefined;
  const fleet = new Fleet({ ...processOptions, polls, leaseMs });
  const observer = new Observer({
    database: opened,
    sqs: client,
    queueUrls: [queues.resultsQueueUrl, ...queues.tasksQueueUrls.values()],
    executions,
  });
  try {
    for (const slot of [1, 2]) await fleet.start('worker', slot);
    await Promise.all(Array.from({ length: engines }, (_, index) => fleet.start('engine', index + 1)));
    const runs = makeRuns(name, options.runs, options.kinds ?? KINDS);
    const ends = disturb(disturbance, {
      fleet,
      engines,
      postgres,
      freezeSqs: sqs.freeze,
      forMs: (options.runs / options.runsPerSecond) * 1_000,
    });
    for (const run of runs) {
      fleet.give({ start: run });
      const request = requestFor(run);
      if (request !== undefined) fleet.giveLater(request, LATEST_REQUEST_MS);
      await sleep(1_000 / options.runsPerSecond);
    }
    const outages = await ends;
    const open = await observer.untilQuiet(runs.map(lastRunIdOf), ASLEEP_AFTER_MS + LONGEST_REST_MS, () => fleet.openOrders > 0);
    const findings = await findingsOf(runs, open, opened.store, { executions, kills: fleet.kills, outages });
    await fleet.stop();
    const histories = new Map(findings.map(({ id }) => [id, historyOf(id.split(':')[0] ?? id, trace)] as const));
    const slowestShutdownMs = Math.max(0, ...fleet.shutdowns);
    return { options, findings, histories, seconds: stage.elapsedSeconds(), slowestShutdownMs, crashes: fleet.crashes };
  } finally {
    await fleet.stop();
    await stage.close();
  }
}
