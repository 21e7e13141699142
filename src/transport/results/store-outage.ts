import { backoffMs } from '../../sqs/retry.ts';

/** This many rejections in a row are no longer one result's trouble. */
const FAILURES_UNTIL_DOWN = 3;
const PROBE_BACKOFF = { firstMs: 1_000, maxMs: 30_000 };
/** A probe that is neither taken nor rejected by then no longer holds up the next: its turn may be waiting for what that brings. */
const PROBE_PATIENCE_MS = 10_000;

/**
 * Notices that the engine rejects everything (its store is down): then receiving pauses and one result at a time is tried, at growing
 * intervals, until one is taken. Without it every result would burn its receive count and end as a dead letter.
 *
 * Results that are with the engine already do not hold up the probe: their turns may be waiting for what it brings.
 */
export class StoreOutage {
  readonly #onProbe: () => void;
  readonly #random: () => number;
  #failures = 0;
  /** Pauses of this outage. A burst of rejections is one: many results are with the engine when its store goes down. */
  #pauses = 0;
  #probeDue = false;
  #endProbe: (() => void) | undefined;
  #patience: NodeJS.Timeout | undefined;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param onProbe called when receiving may be tried again */
  constructor(onProbe: () => void, random: () => number = Math.random) {
    this.#onProbe = onProbe;
    this.#random = random;
  }

  get isDown(): boolean {
    return this.#failures >= FAILURES_UNTIL_DOWN;
  }

  /** How many results may be received now: as many as there is room for, one as a probe, or none. */
  room(free: number): number {
    if (!this.isDown) return free;
    return this.#probeDue && this.#endProbe === undefined ? Math.min(1, free) : 0;
  }

  /**
   * A message was received. Where it is the probe, gives what is to be called when it has been dealt with: if it told nothing (it was
   * not a result, or was never handed over), the next one is due at once.
   */
  received(): (() => void) | undefined {
    if (!this.isDown || !this.#probeDue || this.#endProbe !== undefined) return undefined;
    const end = () => {
      if (this.#endProbe !== end) return;
      clearTimeout(this.#patience);
      this.#endProbe = undefined;
      if (this.isDown && this.#probeDue) this.#onProbe();
    };
    this.#endProbe = end;
    this.#patience = setTimeout(end, PROBE_PATIENCE_MS);
    return end;
  }

  succeeded(): void {
    const wasDown = this.isDown;
    this.#clearTimer();
    this.#failures = 0;
    this.#pauses = 0;
    this.#probeDue = false;
    if (wasDown) this.#onProbe();
  }

  failed(): void {
    this.#failures += 1;
    if (!this.isDown || this.#stopped) return;
    this.#probeDue = false;
    if (this.#timer !== undefined) return;
    this.#pauses += 1;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#probeDue = true;
        this.#onProbe();
      },
      backoffMs(this.#pauses, PROBE_BACKOFF, this.#random),
    );
  }

  /** No probe any more. */
  stop(): void {
    this.#stopped = true;
    this.#clearTimer();
    clearTimeout(this.#patience);
  }

  #clearTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
