import type { WorkflowRun } from '@dudousxd/nestjs-durable-core';
import { steadyNow } from '../../time.ts';

interface Listed {
  readonly ids: ReadonlySet<string>;
  /** Milliseconds, of the clock that nobody sets. */
  readonly at: number;
}

/** Three lists a pass, and a slow pass does not hold up the next ones (`engine-passes.ts`). */
const REMEMBERED_LISTS = 12;
/** No pass takes longer. */
const REMEMBERED_MS = 300_000;
/** Between the engine's look at its clock and ours. */
const TOLERANCE_MS = 1_000;

/**
 * Runs that passes of the engine work off. A pass reads them once, at its beginning, and awaits their turns one after
 * the other, for seconds where the list is long. It takes each run's lock by the state and the time of its beginning.
 */
export class PassLists {
  /** Oldest first. */
  readonly #lists: Listed[] = [];

  /** A pass has read a list. */
  read(runs: readonly Pick<WorkflowRun, 'id'>[]): void {
    if (runs.length === 0) return;
    this.#lists.push({ ids: new Set(runs.map(({ id }) => id)), at: steadyNow() });
    if (this.#lists.length > REMEMBERED_LISTS) this.#lists.shift();
  }

  isListed(runId: string): boolean {
    const since = steadyNow() - REMEMBERED_MS;
    return this.#lists.some(({ ids, at }) => at > since && ids.has(runId));
  }

  /**
   * How old the time is at which a pass takes a run's lock, milliseconds. With a lease that is reckoned from it, the
   * lock would be free before its time. 0 for any other lock, and for an engine whose clock is not the system's.
   */
  staleMs(runId: string, nowMs: number): number {
    const age = Date.now() - nowMs;
    const isOfPass = this.#lists.some(({ ids, at }) => ids.has(runId) && age <= steadyNow() - at + TOLERANCE_MS);
    return isOfPass ? Math.max(0, age) : 0;
  }
}
