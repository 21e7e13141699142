import type { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';
import type { Ledger } from './ledger.ts';

/** How a run ended, judged: `right`, the engine's own known limits by name, or what is wrong. */
export type Verdict =
  | { readonly outcome: 'right' }
  | { readonly outcome: 'limit'; readonly limit: string }
  | { readonly outcome: 'wrong'; readonly why: string };

/**
 * What is known to have happened to a run, for the limits of the engine: each holds only where its cause is on record.
 */
export interface Evidence {
  /** Whether a second turn waited for a step beside a first one, whose lease had run out. */
  awaitedTwice(stepId: string): boolean;
  /** Whether an operator's `redispatchPending` sent the step. */
  redispatched(stepId: string): boolean;
  /** Whether the store rejected a call within a turn of the run. */
  storeFailedIn(runId: string): boolean;
  /** When an engine had said that the run is cancelled, epoch milliseconds. */
  cancelledAt(runId: string): number | undefined;
  /** When the step was dispatched last, or a turn of the run, epoch milliseconds. */
  lastDispatchOf(runId: string): number | undefined;
}

/** What the book of a scenario says of it. */
export function evidenceOf(ledger: Ledger): Evidence {
  const { dispatches } = ledger;
  return {
    awaitedTwice: (stepId) => dispatches.awaitedTwice(stepId),
    redispatched: (stepId) => dispatches.byOperator(stepId),
    storeFailedIn: (runId) => ledger.storeFailedIn(runId),
    cancelledAt: (runId) => ledger.cancelledAt(runId),
    lastDispatchOf: (runId) => dispatches.lastOf(runId),
  };
}

export const NO_EVIDENCE: Evidence = {
  awaitedTwice: () => false,
  redispatched: () => false,
  storeFailedIn: () => false,
  cancelledAt: () => undefined,
  lastDispatchOf: () => undefined,
};

/** What a stuck run waits for, in positions and states. */
export async function whereItIs(runId: string, store: InMemoryStateStore): Promise<string> {
  const steps = await store.listCheckpoints(runId);
  return steps.map(({ seq, status, attempts }) => `step ${seq} ${status}, attempt ${attempts}`).join('; ') || 'no step dispatched';
}
