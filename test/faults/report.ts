import type { LambdaFleet } from './lambda-fleet.ts';
import type { Ledger } from './ledger.ts';
import type { Verdict } from './workload.ts';

export interface Outcome {
  readonly name: string;
  readonly seed: number;
  readonly steps: number;
  readonly engines: number;
  readonly ledger: Ledger;
  readonly fleet: LambdaFleet;
  readonly verdicts: readonly Verdict[];
  readonly seconds: number;
  /** Messages that stayed on the tasks and results queues. */
  readonly left: number;
}

export type Row = readonly [label: string, value: string | number];

/** What is wrong; empty for a run of the tests that has passed. */
export function violations({ ledger, verdicts, left }: Outcome): string[] {
  return [
    ...verdicts.flatMap((verdict) => (verdict.outcome === 'wrong' ? [verdict.why] : [])),
    ...ledger.violations,
    ...ledger.unexplained(),
    ...ledger.dispatchedTwice().unexplained,
    ...(left > 0 ? [`${left} messages were left on the queues`] : []),
  ];
}

export function rowsOf({ ledger, fleet, verdicts, seconds, left }: Outcome): Row[] {
  const repeats = ledger.repeats();
  const requests = sum(ledger.requests.values());
  const faults = sum(ledger.faults.values());
  const limits = new Map<string, number>();
  for (const verdict of verdicts) if (verdict.outcome === 'limit') limits.set(verdict.limit, (limits.get(verdict.limit) ?? 0) + 1);
  return [
    ['runs', verdicts.length],
    ['runs that ended as they should', verdicts.filter(({ outcome }) => outcome === 'right').length],
    ...[...limits].map(([limit, count]): Row => [`  ${limit}`, count]),
    ['runs in a wrong state', verdicts.filter(({ outcome }) => outcome === 'wrong').length],
    ['steps', ledger.steps],
    ['dispatches (retries counted)', ledger.dispatches],
    ['executions', ledger.executions],
    ['steps that ran again', repeats.steps],
    ['executions beyond dispatches', repeats.executions],
    ...[...repeats.causes].map(([cause, count]): Row => [`  because ${cause}`, count]),
    ['executions that nothing explains', ledger.unexplained().length],
    ['attempts dispatched again after a crash or outage', ledger.dispatchedTwice().afterCrisis.length],
    ["attempts dispatched by an engine's pass and a result at once", ledger.dispatchedTwice().byPass.length],
    ['attempts dispatched again without reason', ledger.dispatchedTwice().unexplained.length],
    ['SQS requests', requests],
    ['faulty requests', `${faults} (${Math.round((faults / Math.max(1, requests + faults)) * 100)} %)`],
    ...[...ledger.faults].sort().map(([fault, count]): Row => [`  ${fault}`, count]),
    ['invocations', fleet.invocations],
    ['function processes started', fleet.coldStarts],
    ['function processes killed', sum(fleet.kills.values())],
    ...[...fleet.kills].sort().map(([moment, count]): Row => [`  ${moment}`, count]),
    ['messages left on the queues', left],
    ['time', `${seconds.toFixed(0)} s`],
  ];
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
