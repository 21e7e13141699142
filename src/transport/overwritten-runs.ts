import type { EngineEvent } from '@dudousxd/nestjs-durable-core';
import { RecentIds } from './recent-ids.ts';

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
 */
export class OverwrittenRuns {
  readonly #ended = new RecentIds(REMEMBERED_RUNS);
  readonly #onOverwritten: (runId: string) => void;

  /** @param onOverwritten called once for each end that was overwritten, from inside the engine */
  constructor(onOverwritten: (runId: string) => void) {
    this.#onOverwritten = onOverwritten;
  }

  /** The run has ended, on another instance, as the store has it. */
  ended(runId: string): void {
    this.#ended.add(runId);
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
