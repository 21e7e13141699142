/**
 * Between the last moment to answer and the kill: the answer's way to Lambda. A part of the reserve where that is
 * short.
 */
const ANSWER_MS = 100;
const ANSWER_SHARE = 0.25;
/** Longer than a timer can run is longer than Lambda can. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * The end of one invocation, in two steps.
 *
 * It is *reached* when only the reserve is left: running steps are stopped, no further one starts, and the results that
 * there are get sent. It is *closed* a moment before Lambda kills the process: then the invocation answers with what is
 * settled, whatever still runs.
 *
 * One timer at a time for all steps of an invocation, and none where nothing ends it.
 */
export class Deadline {
  /** Whether it can come at all. */
  readonly finite: boolean;
  readonly #remainingMs: () => number;
  readonly #reserveMs: number;
  /** Time to work that the invocation had when it began. */
  readonly #budgetMs: number;
  readonly #reachedListeners: (() => void)[] = [];
  readonly #closedListeners: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #state: 'open' | 'reached' | 'closed' | 'ended' = 'open';

  /** @param remainingMs Lambda's own word on the time left */
  constructor(remainingMs: () => number, reserveMs: number) {
    this.#remainingMs = remainingMs;
    this.#reserveMs = reserveMs;
    this.#budgetMs = remainingMs() - reserveMs;
    this.finite = Number.isFinite(this.#budgetMs);
    this.#wait();
  }

  /** Whether no further step may start. */
  get reached(): boolean {
    return this.#state === 'reached' || this.#state === 'closed';
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  remainingMs(): number {
    return this.#remainingMs();
  }

  /**
   * Whether a step that usually takes `typicalMs` is worth starting: what is left before the reserve covers that, or
   * half of the time that the invocation had. So one that takes longer than any invocation still starts where it has
   * the most time to get.
   */
  worthStarting(typicalMs = 0): boolean {
    if (this.#state !== 'open') return false;
    if (!this.finite) return true;
    return this.#remainingMs() - this.#reserveMs > Math.min(typicalMs, this.#budgetMs / 2);
  }

  /** Calls back when the deadline is reached, at once where it is. */
  onReached(listener: () => void): void {
    if (this.reached) listener();
    else this.#reachedListeners.push(listener);
  }

  /** Calls back when the last moment to answer has come. */
  onClosed(listener: () => void): void {
    this.#closedListeners.push(listener);
  }

  /** The invocation has answered. */
  end(): void {
    clearTimeout(this.#timer);
    if (this.#state === 'open') this.#state = 'ended';
  }

  #wait(): void {
    const leftMs = this.#remainingMs() - this.#reserveMs;
    if (leftMs > MAX_TIMER_MS) return;
    // Asked again when it fires: timers are early by a millisecond now and then, and a frozen process has lost time.
    this.#timer = setTimeout(() => (this.#remainingMs() - this.#reserveMs > 0 ? this.#wait() : this.#reach()), Math.max(0, leftMs));
  }

  #reach(): void {
    this.#state = 'reached';
    const answerMs = Math.min(ANSWER_MS, this.#reserveMs * ANSWER_SHARE);
    this.#timer = setTimeout(() => this.#close(), Math.max(0, this.#remainingMs() - answerMs));
    for (const listener of this.#reachedListeners) listener();
  }

  #close(): void {
    this.#state = 'closed';
    for (const listener of this.#closedListeners) listener();
  }
}
