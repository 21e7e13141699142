import { backoffMs } from './retry.ts';

/**
 * What one more receiver is worth after how many full receives; the bound keeps a returning backlog from waiting long
 * for receivers.
 */
const MOST_FULL_RECEIVES = 16;
/** A queue that answers at once that it is empty is asked once a second at most. A long poll takes longer by itself. */
const IDLE_INTERVAL = { firstMs: 25, maxMs: 1_000 };

/** How many receivers poll one queue, and how soon after one receive the next begins. */
export class PollingPace {
  #needed = 1;
  #full = 0;
  /** Empty receives of the only receiver since the last that brought messages. */
  #empty = 0;

  /**
   * A receive brought messages. Gives whether one more receiver pays, if there is room for one: at the first full
   * receive, and after receivers that were added in vain only at the second, fourth, eighth. A queue that is filled as
   * fast as it is emptied brings full receives too, and another receiver there only asks in vain.
   */
  brought(isFull: boolean): boolean {
    this.#empty = 0;
    if (!isFull) return false;
    this.#full += 1;
    return this.#full >= this.#needed;
  }

  /** One was added. */
  added(): void {
    this.#full = 0;
  }

  /**
   * A receive came back empty. Gives the pause in milliseconds before the next: none after the first, and then ever
   * longer.
   * @param isLast whether no other receiver polls, so that the queue is idle
   */
  empty(isLast: boolean, tookMs: number): number {
    this.#full = 0;
    this.#needed = isLast ? 1 : Math.min(MOST_FULL_RECEIVES, this.#needed * 2);
    if (!isLast) return 0;
    this.#empty += 1;
    const intervalMs = this.#empty === 1 ? 0 : backoffMs(this.#empty - 1, IDLE_INTERVAL, () => 1);
    return Math.max(0, intervalMs - tookMs);
  }
}
