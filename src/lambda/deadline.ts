/** Between the last moment to answer and the kill: the answer's way to Lambda. A part of the reserve where that is short. */
const ANSWER_MS = 100;
const ANSWER_SHARE = 0.25;
/** Longer than a timer can run is longer than Lambda can. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * The end of one invocation, in two steps.
 *
 * It is *reached* when only the reserve is left: started steps are sealed, no further one starts, and what there is gets sent. It is
 * *closed* a moment before Lambda kills the process: then the invocation answers with what is settled, whatever still runs.
 *
 * One timer at a time for all steps of an invocation, and none where nothing ends it.
 */
export class Deadline {
  readonly #remainingMs: () => number;
  readonly #reserveMs: number;
  /** Time to work that the invocation had when it began. */
  readonly #budgetMs: number;
  readonly #controller = new AbortController();
  readonly #seals = new Set<() => void>();
  readonly #closers: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #state: 'open' | 'reached' | 'closed' | 'ended' = 'open';

  /** @param remainingMs Lambda's own word on the time left */
  constructor(remainingMs: () => number, reserveMs: number) {
    this.#remainingMs = remainingMs;
    this.#reserveMs = reserveMs;
    this.#budgetMs = remainingMs() - reserveMs;
    this.#wait();
  }

  /** Aborts when the deadline is reached. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether no further step may start. */
  get reached(): boolean {
    return this.#state === 'reached' || this.#state === 'closed';
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** Whether it can come at all. */
  get finite(): boolean {
    return Number.isFinite(this.#budgetMs);
  }

  remainingMs(): number {
    return this.#remainingMs();
  }

  /**
   * Whether a step that usually takes `typicalMs` is worth starting: what is left before the reserve covers that, or half of the time
   * that the invocation had. So one that takes longer than any invocation still starts where it has the most time to get.
   */
  worthStarting(typicalMs = 0): boolean {
    if (this.#state !== 'open') return false;
    if (!this.finite) return true;
    return this.#remainingMs() - this.#reserveMs > Math.min(typicalMs, this.#budgetMs / 2);
  }

  /** Calls back when the deadline is reached, at once where it is. Gives what takes that back. */
  onSeal(seal: () => void): () => void {
    if (this.reached) seal();
    else this.#seals.add(seal);
    return () => this.#seals.delete(seal);
  }

  /** Calls back when the last moment to answer has come. */
  onClose(close: () => void): void {
    this.#closers.push(close);
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
    // Before the seals: what a listener logs at once still rides on the result.
    this.#controller.abort(new Error('the Lambda deadline nears'));
    for (const seal of this.#seals) seal();
    this.#seals.clear();
  }

  #close(): void {
    this.#state = 'closed';
    for (const close of this.#closers) close();
  }
}
