import { RecentIds } from './recent-ids.ts';

/** By then another instance has written what it had to write: it released the run before the run could end here. */
const LOOK_AGAIN_AFTER_MS = 2_000;
/** Runs of which it is remembered that they ended. A pass that is late by more than these costs its run a sleep, no more. */
const REMEMBERED_RUNS = 5_000;

/**
 * Notices runs that the engine puts to sleep after their end.
 *
 * A pass of the engine over due runs works off a list that it read at its beginning. Where the list is long, or passes overlap, something
 * else has woken a run of it since, and a result may complete that run while the late pass replays it. The pass then writes `suspended`
 * over `completed`. Nothing wakes such a run but the engine's `reconcileMs`, five minutes later. The lock on a run does not prevent it: a
 * pass takes it with the lease of its beginning, which may have run out by then.
 *
 * Another instance does so, too, if it has released the run and not yet written `suspended` when the result of its step ends the run here.
 * No event of that comes here, so such a run is looked at once more.
 */
export class EndedRuns {
  readonly #ended = new RecentIds(REMEMBERED_RUNS);
  readonly #onOverwritten: (runId: string) => void;
  readonly #looks = new Set<NodeJS.Timeout>();

  /** @param onOverwritten told of ends that were overwritten, from inside the engine, and of those that may have been */
  constructor(onOverwritten: (runId: string) => void) {
    this.#onOverwritten = onOverwritten;
  }

  /** The run has ended, here or on another instance. */
  ended(runId: string): void {
    this.#ended.add(runId);
  }

  /** The run goes on: an operator has retried it, or it waits for a result. */
  forget(runId: string): void {
    this.#ended.delete(runId);
  }

  /** The engine has written that the run sleeps. */
  suspended(runId: string): void {
    if (this.#ended.delete(runId)) this.#onOverwritten(runId);
  }

  /** The engine has accepted the result of a step that another instance dispatched, and the turn that came of it is over. */
  resultOfOther(runId: string): void {
    if (!this.#ended.has(runId)) return;
    const look = setTimeout(() => {
      this.#looks.delete(look);
      if (this.#ended.has(runId)) this.#onOverwritten(runId);
    }, LOOK_AGAIN_AFTER_MS).unref();
    this.#looks.add(look);
  }

  stop(): void {
    for (const look of this.#looks) clearTimeout(look);
    this.#looks.clear();
  }
}
