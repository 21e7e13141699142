import type { WorkflowRun } from '@dudousxd/nestjs-durable-core';
import { steadyNow } from '../../time.ts';

/** What the engine's passes read once, at their beginning: runs that are due, and runs to recover. */
export type PassList = 'listPendingRuns' | 'listIncompleteRuns' | 'listDueTimers';

interface Listed {
  readonly ids: ReadonlySet<string>;
  /** Milliseconds, of the clock that nobody sets. */
  readonly at: number;
}

/** Between the engine's look at its clock and ours. */
const TOLERANCE_MS = 1_000;

/**
 * Runs that a pass of the engine works off. It awaits their turns one after the other, for seconds where the list is long, and takes each
 * run's lock by the state and the time at which it read the list.
 */
export class PassLists {
  readonly #lists = new Map<PassList, Listed>();

  /** A pass has read its list; that of the pass before it is done with. */
  read(list: PassList, runs: readonly Pick<WorkflowRun, 'id'>[]): void {
    this.#lists.set(list, { ids: new Set(runs.map(({ id }) => id)), at: steadyNow() });
  }

  isListed(runId: string): boolean {
    return [...this.#lists.values()].some(({ ids }) => ids.has(runId));
  }

  /**
   * How old the time is at which a pass takes a run's lock, milliseconds. With a lease that is reckoned from it, the lock would be free
   * before its time. 0 for any other lock, and for an engine whose clock is not the system's.
   */
  staleMs(runId: string, nowMs: number): number {
    const age = Date.now() - nowMs;
    const passes = [...this.#lists.values()].filter(({ ids, at }) => ids.has(runId) && age <= steadyNow() - at + TOLERANCE_MS);
    return passes.length > 0 ? Math.max(0, age) : 0;
  }
}
