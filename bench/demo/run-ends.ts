import { type StateStore, TERMINAL_RUN_STATUSES } from '@dudousxd/nestjs-durable-core';

const EVERY_MS = 100;
const RUNS_A_LOOK = 20;

/** Learns from a store when runs have ended: whoever started one by message has no engine that could tell. */
export class RunEnds {
  readonly #store: Pick<StateStore, 'getRun'>;
  readonly #waiting = new Map<string, () => void>();
  readonly #timer: NodeJS.Timeout;
  #isLooking = false;

  constructor(store: Pick<StateStore, 'getRun'>) {
    this.#store = store;
    this.#timer = setInterval(() => void this.#look(), EVERY_MS);
  }

  of(runId: string): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(runId, resolve));
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** At a few, those that were looked at longest ago: so the store has little work of it. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    for (const [runId, resolve] of [...this.#waiting].slice(0, RUNS_A_LOOK)) {
      const run = await this.#store.getRun(runId);
      this.#waiting.delete(runId);
      if (run !== null && TERMINAL_RUN_STATUSES.includes(run.status)) resolve();
      else this.#waiting.set(runId, resolve);
    }
    this.#isLooking = false;
  }
}
