import { isDeepStrictEqual } from 'node:util';
import type { InMemoryStateStore, WorkflowEngine, WorkflowRun } from '@dudousxd/nestjs-durable-core';
import { drawRuns, type Run } from './runs.ts';
import { stampOf } from './steps.ts';
import { childOf, messageOf, signalOf, TURN_KINDS, type TurnKind } from './turn-functions.ts';
import { type Evidence, type Verdict, whereItIs } from './verdict.ts';

const STEPS_OF: Readonly<Record<TurnKind, number>> = {
  chain: 3,
  spread: 5,
  sleeper: 2,
  parent: 4,
  thrower: 1,
  orphaner: 1,
  signalled: 2,
  recorder: 1,
  catcher: 2,
  cancelled: 3,
};
/** What was on its way to SQS when the engine said that the run is cancelled has long been noted by then. */
const DISPATCHED_BEFORE_CANCEL_MS = 2_000;

export function makeTurnRuns(name: string, steps: number, random: () => number): Run<TurnKind>[] {
  return drawRuns(name, steps, STEPS_OF, TURN_KINDS, random);
}

/** The engine knows nothing of these workflows but where their turns go. */
export function registerTurns(engine: WorkflowEngine): void {
  for (const kind of TURN_KINDS) engine.remote(kind, { group: kind });
}

export function signalFor({ runId }: Run): { readonly token: string; readonly payload: unknown } {
  return { token: signalOf(runId), payload: { signalled: runId } };
}

export async function judgeTurns(run: Run<TurnKind>, store: InMemoryStateStore, evidence: Evidence): Promise<Verdict> {
  const stored = await store.getRun(run.runId);
  if (stored === null) return { outcome: 'wrong', why: `${run.runId}: it is not in the store` };
  const why = run.kind === 'cancelled' ? wrongWithCancelled(stored, evidence) : wrongWith(run, stored);
  if (why === undefined) return { outcome: 'right' };
  const where = stored.status === 'suspended' ? `; ${await whereItIs(run.runId, store)}` : '';
  return { outcome: 'wrong', why: `${run.runId}: ${why}${where}` };
}

function wrongWith(run: Run<TurnKind>, { status, error, output }: WorkflowRun): string | undefined {
  const failure = failureOf(run);
  const got = `it is ${status}${error === undefined ? '' : ` (${error.message})`}`;
  if (failure !== undefined) return status === 'failed' && error?.message === failure ? undefined : `expected it to fail, ${got}`;
  if (status !== 'completed') return `expected it to be completed, ${got}`;
  const expected = outputOf(run, output);
  return isDeepStrictEqual(output, expected) ? undefined : 'its outputs are those of other steps';
}

/** A cancel that comes late finds the run waiting for a signal that never comes. */
function wrongWithCancelled({ id, status }: WorkflowRun, { cancelledAt, lastDispatchOf }: Evidence): string | undefined {
  const at = cancelledAt(id);
  if (at === undefined) return 'no engine answered to its cancel';
  if (status !== 'cancelled') return `an engine said that it is cancelled, it is ${status}`;
  const late = (lastDispatchOf(id) ?? 0) - at;
  return late > DISPATCHED_BEFORE_CANCEL_MS ? `it goes on: something was dispatched ${late} ms after its cancel` : undefined;
}

function failureOf(run: Run<TurnKind>): string | undefined {
  if (run.kind === 'thrower') return messageOf(run);
  // The engine tells a parent what its child failed with.
  return run.kind === 'orphaner' ? messageOf({ ...run, runId: childOf(run.runId, 0) }) : undefined;
}

function outputOf(run: Run<TurnKind>, output: unknown): unknown {
  const stamps = (labels: string, of: Run<TurnKind> = run) => [...labels].map((label) => stamp(of, label));
  switch (run.kind) {
    case 'chain':
      return stamps('abc');
    case 'spread':
      return stamps('abcde');
    case 'sleeper':
      return stamps('ab');
    case 'parent':
      return [...stamps('abc', { ...run, runId: childOf(run.runId, 0) }), ...stamps('a')];
    case 'signalled':
      return [stamp(run, 'a'), signalFor(run).payload, stamp(run, 'b')];
    case 'catcher':
      return stamps('b');
    case 'recorder': {
      // Whatever was recorded, the step was called with it.
      const label: unknown = Array.isArray(output) ? output[0] : undefined;
      return [label, stamp(run, String(label))];
    }
    default:
      return undefined;
  }
}

function stamp({ runId, nonce }: Run, label: string): { readonly stamp: string } {
  return { stamp: stampOf('faults.work', { runId, label, nonce }) };
}
