import { setImmediate } from 'node:timers/promises';
import type { Timing } from '../../src/time.ts';

interface Sleeper {
  readonly wakeAt: number;
  readonly wake: () => void;
}

/**
 * Lets everything that needs no time happen: promise reactions, and what they start in turn, also on the next turn of
 * the event loop. Works under vitest's fake timers.
 */
export async function settle(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

/** A clock that moves only when a test moves it. `random` gives `chance`, so a backoff is exact. */
export class FakeTiming implements Timing {
  /** Every sleep that was asked for, in order. */
  readonly slept: number[] = [];
  chance = 1;
  #now = 0;
  #sleepers: Sleeper[] = [];

  now = (): number => this.#now;
  random = (): number => this.chance;

  sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    this.slept.push(ms);
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        wakeAt: this.#now + ms,
        wake: () => {
          signal?.removeEventListener('abort', sleeper.wake);
          this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
          resolve();
        },
      };
      signal?.addEventListener('abort', sleeper.wake, { once: true });
      this.#sleepers.push(sleeper);
    });
  };

  /** How many sleep now. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Moves the clock, waking sleepers in the order of their times, and lets each wake-up play out. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (;;) {
      const next = this.#sleepers.filter(({ wakeAt }) => wakeAt <= until).sort((a, b) => a.wakeAt - b.wakeAt)[0];
      if (next === undefined) break;
      this.#now = next.wakeAt;
      next.wake();
      await settle();
    }
    this.#now = until;
  }
}
