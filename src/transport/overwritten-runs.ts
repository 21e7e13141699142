import type { EngineEvent } from '@dudousxd/nestjs-durable-core';
import { RecentIds } from './recent-ids.ts';

/** By then another instance has written what it had to write: it did give up its lock on the run before the run could end here. */
const LOOK_AGAIN_AFTER_MS = 2_000;
/** Runs of which it is remembered that they ended. A pass that is late by more than these costs its run a sleep, no more. */
const REMEMBERED_RUNS = 5_000;

/**
 * Notices runs that the engine puts to sleep after their end.
 *
 * A pass over due runs works off a list that it read at its beginning. Where the list is long, or passes overlap, a run of it has been
 * woken by something else since, and may be completed by a result while the late pass replays it: the pass then writes `suspended` over
 * `completed`. Nothing wakes such a run but the engine's `reconcileMs`, five minutes later.
 *
 * The lock on a run does not prevent it: a pass takes it with the lease of its beginning, which may have run out by then.
 *
 * Another instance does so too, whose turn has given up its lock and not yet written `suspended` when the result of its step ends the run
 * here. No event of that comes here, so such a run is looked at once more.
 */
export class OverwrittenRuns {
  readonly #ended = new RecentIds(REMEMBERED_RUNS);
  readonly #onOverwritten: (runId: string) => void;
  readonly #looks = new Set<NodeJS.Timeout>();

  /** @param onOverwritten told of ends that were overwritten, from inside the engine, and of those that may have been */
  constructor(onOverwritten: (runId: string) => void) {
    this.#onOverwritten = onOverwritten;
  }

  /** The run has ended, on another instance, as the store has it. */
  ended(runId: string): void {
    this.#ended.add(runId);
  }

  /** The engine has taken the result of a step that another instance dispatched, and the turn that came of it is over. */
  takenForOther(runId: string): void {
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

  event({ type, runId, kind }: EngineEvent): void {
    switch (type) {
      case 'run.completed':
      case 'run.failed':
        this.ended(runId);
        break;
      case 'run.started':
        // An operator has retried it.
        this.#ended.delete(runId);
        break;
      case 'step.started':
        // It waits for a result again, and that wakes it.
        if (kind === 'remote') this.#ended.delete(runId);
        break;
      case 'run.suspended':
        if (this.#ended.delete(runId)) this.#onOverwritten(runId);
        break;
    }
  }
}
