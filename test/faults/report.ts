import { FAULTS } from './fault-plan.ts';
import { runIdOf } from './history.ts';
import { type LambdaFleet, MOMENTS } from './lambda-fleet.ts';
import { type Ledger, MISHAPS } from './ledger.ts';
import type { Run } from './runs.ts';
import type { Verdict } from './verdict.ts';

export interface Outcome {
  readonly name: string;
  readonly seed: number;
  readonly steps: number;
  readonly engines: number;
  readonly ledger: Ledger;
  readonly fleet: LambdaFleet;
  readonly runs: readonly Run[];
  /** Of the runs, in their order. */
  readonly verdicts: readonly Verdict[];
  readonly seconds: number;
  /** Messages that stayed on the tasks and results queues. */
  readonly left: number;
}

export type Row = readonly [label: string, value: string | number];

/** What is wrong; empty for a run of the tests that has passed. */
export function violations({ ledger, fleet, verdicts, left }: Outcome): string[] {
  return [
    ...verdicts.flatMap((verdict) => (verdict.outcome === 'wrong' ? [verdict.why] : [])),
    ...ledger.violations,
    ...ledger.unexplained(),
    ...ledger.results.violations(),
    ...fleet.order.violations,
    ...(ledger.resultSends.signed > 0 ? [] : ['no result was sent by our own signed sender']),
    ...ledger.dispatches.again().flatMap(({ why, text }) => (why === 'none' ? [text] : [])),
    ...(left > 0 ? [`${left} messages were left on the queues`] : []),
  ];
}

/**
 * What never happened in any of these: a test has shown nothing of it. Each comes about ten times at least in two
 * scenarios of 1,000 steps.
 */
export function unseen(outcomes: readonly Pick<Outcome, 'ledger' | 'fleet'>[]): string[] {
  const never = <Kind extends string>(
    kinds: readonly Kind[],
    counts: (outcome: Pick<Outcome, 'ledger' | 'fleet'>) => ReadonlyMap<string, number>,
  ) => kinds.filter((kind) => !outcomes.some((outcome) => (counts(outcome).get(kind) ?? 0) > 0));
  return [
    ...never(FAULTS, ({ ledger }) => ledger.faults).map((fault) => `no request met this fault: ${fault}`),
    ...never(MISHAPS, ({ ledger }) => ledger.mishaps).map((mishap) => `there were no ${mishap}`),
    ...never(MOMENTS, ({ fleet }) => fleet.kills).map((moment) => `no function process was killed ${moment}`),
    ...(outcomes.some(({ fleet }) => fleet.cutOffs > 0) ? [] : ['no invocation was cut off from SQS']),
  ];
}

export function rowsOf({ ledger, fleet, verdicts, seconds, left }: Outcome): Row[] {
  const repeats = ledger.repeats();
  const requests = sum(ledger.requests.values());
  const faults = sum(ledger.faults.values());
  const limits = new Map<string, number>();
  const again = countBy(ledger.dispatches.again().map(({ why }) => why));
  for (const verdict of verdicts) if (verdict.outcome === 'limit') limits.set(verdict.limit, (limits.get(verdict.limit) ?? 0) + 1);
  return [
    ['runs', verdicts.length],
    ['runs that ended as they should', verdicts.filter(({ outcome }) => outcome === 'right').length],
    ...[...limits].map(([limit, count]): Row => [`  ${limit}`, count]),
    ['runs in a wrong state', verdicts.filter(({ outcome }) => outcome === 'wrong').length],
    ['steps', ledger.dispatches.steps],
    ...(ledger.dispatches.turns === 0 ? [] : [['turns of workflows', ledger.dispatches.turns] as const]),
    ['dispatches (retries counted)', ledger.dispatches.count],
    ['executions', ledger.executions],
    ['steps that ran again', repeats.steps],
    ['executions beyond dispatches', repeats.executions],
    ...[...repeats.causes].map(([cause, count]): Row => [`  because ${cause}`, count]),
    ['executions that nothing explains', ledger.unexplained().length],
    ['attempts dispatched again', sum(again.values())],
    ...[...again].map(([why, count]): Row => [`  because ${why}`, count]),
    ['results handed over beyond one a dispatch', ledger.results.handed - ledger.dispatches.count],
    ['results sent by our own signed sender, and by the SDK', `${ledger.resultSends.signed}, ${ledger.resultSends.sdk}`],
    ...(fleet.order.begun === 0 ? [] : [['tasks of FIFO queues, whose order was checked', fleet.order.begun] as const]),
    ['SQS requests', requests],
    ['faulty requests', `${faults} (${Math.round((faults / Math.max(1, requests)) * 100)} %)`],
    ...[...ledger.faults].sort().map(([fault, count]): Row => [`  ${fault}`, count]),
    ...[...ledger.mishaps].sort().map(([mishap, count]): Row => [mishap, count]),
    ['invocations', fleet.invocations],
    ['invocations none of whose results got through', fleet.cutOffs],
    ['function processes started', fleet.coldStarts],
    ['function processes killed', sum(fleet.kills.values())],
    ...[...fleet.kills].sort().map(([moment, count]): Row => [`  ${moment}`, count]),
    ['messages left on the queues', left],
    ['time', `${seconds.toFixed(0)} s`],
  ];
}

/**
 * What is known of the runs that ended otherwise than they should, or of which a step was dispatched again for no known
 * cause.
 */
export function histories(outcome: Outcome, which: 'wrong' | 'all'): string[] {
  const { ledger, verdicts, runs } = outcome;
  const found = violations(outcome);
  const again = new Map(ledger.dispatches.again().flatMap(({ stepId, why, text }) => (why === 'none' ? [[runIdOf(stepId), text]] : [])));
  const titleOf = (runId: string, verdict: Verdict | undefined): string | undefined => {
    if (verdict?.outcome === 'wrong') return verdict.why;
    if (verdict?.outcome === 'limit' && which === 'all') return verdict.limit;
    return again.get(runId) ?? found.find((violation) => violation.startsWith(`${runId}:`));
  };
  return runs.flatMap(({ runId }, index) => {
    const title = titleOf(runId, verdicts[index]);
    return title === undefined ? [] : [`${runId}: ${title}`, ...ledger.history.of(runId).map((line) => `  ${line}`)];
  });
}

function countBy<Key>(keys: readonly Key[]): Map<Key, number> {
  const counts = new Map<Key, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

/** Two columns, aligned. */
export function table(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`).join('\n');
}

function sum(counts: Iterable<number>): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
