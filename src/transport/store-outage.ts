import { backoffMs } from '../sqs/backoff.ts';

/** This many rejections in a row are no longer one result's trouble. */
const FAILURES_UNTIL_DOWN = 3;
const PROBE_BACKOFF = { firstMs: 1_000, maxMs: 30_000 };

/**
 * Notices that the engine rejects everything (its store is down): then receiving pauses and one result at a time is tried, at growing
 * intervals, until one is taken. Without it every result would burn its receive count and end as a dead letter.
 */
export class StoreOutage {
  readonly #onProbe: () => void;
  readonly #random: () => number;
  #failures = 0;
  #mayProbe = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param onProbe called when receiving may be tried again */
  constructor(onProbe: () => void, random: () => number = Math.random) {
    this.#onProbe = onProbe;
    this.#random = random;
  }

  get isDown(): boolean {
    return this.#failures >= FAILURES_UNTIL_DOWN;
  }

  /** How many results may be with the engine: all, one as a probe, or none. */
  limit(all: number): number {
    if (!this.isDown) return all;
    return this.#mayProbe ? 1 : 0;
  }

  succeeded(): void {
    const wasDown = this.isDown;
    this.stop();
    this.#failures = 0;
    if (wasDown) this.#onProbe();
  }

  failed(): void {
    this.#failures += 1;
    if (!this.isDown) return;
    this.#mayProbe = false;
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#mayProbe = true;
        this.#onProbe();
      },
      backoffMs(this.#failures - FAILURES_UNTIL_DOWN + 1, PROBE_BACKOFF, this.#random),
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
