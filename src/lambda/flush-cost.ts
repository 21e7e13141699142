/**
 * How long before its end an invocation must stop working, so that what is left can still be sent and answered.
 *
 * Measured, not guessed: a function beside its queue flushes in 10 ms, one behind a NAT in another region in 300.
 */

/** Sends remembered. Enough that one slow send is not forgotten at once, few enough that an outage is after a while. */
const REMEMBERED = 16;
/** Before the first send nothing is known; that one also opens the connection, and may load the SDK. */
const UNKNOWN_MS = 1_000;
/** Timers that fire late, a garbage collection, Lambda's own way from the answer to the end of the invocation. */
const FLOOR_MS = 250;
/** More would take from steps what only an outage needs; then nothing gets through anyway. */
const CEILING_MS = 5_000;
/** Of the time an invocation has, at most this part is kept back: a short timeout must still leave time to work. */
const LARGEST_SHARE = 0.25;
/** The slowest of the last sends may be beaten: twice it, and once it for each request that has to wait for others. */
const SLACK = 2;
/** Results that leave at the same time: ten in a request, two requests in flight. */
const SENDS_AT_ONCE = 20;

export class FlushCost {
  readonly #recentMs: number[] = [];
  #next = 0;

  /** A send has taken so long, its waiting for others included, whatever its outcome. */
  record(ms: number): void {
    this.#recentMs[this.#next] = ms;
    this.#next = (this.#next + 1) % REMEMBERED;
  }

  /**
   * @param availableMs time that the invocation has
   * @param results how many may have to be sent in the end
   */
  reserveMs(availableMs: number, results: number): number {
    const slowest = this.#recentMs.length === 0 ? undefined : Math.max(...this.#recentMs);
    const needed = slowest === undefined ? UNKNOWN_MS : slowest * (SLACK + Math.ceil(results / SENDS_AT_ONCE));
    return Math.min(Math.max(needed, FLOOR_MS), CEILING_MS, availableMs * LARGEST_SHARE);
  }
}
