import { backoffMs } from '../../sqs/retry.ts';

const ASK_BACKOFF = { firstMs: 1_000, maxMs: 30_000 };

export interface StoreOutageOptions {
  /** Whether the engine's store answers. Never rejects. */
  readonly ask: () => Promise<boolean>;
  readonly onBegin: () => void;
  readonly onEnd: () => void;
  /** 0 to 1. */
  readonly random: () => number;
}

/**
 * Tells a store that is down from a result that the engine rejects for itself: after a rejection the store is asked.
 * Where it does not answer, receiving pauses until it does. Without that, every result would be received and rejected
 * again and again.
 */
export class StoreOutage {
  isDown = false;
  readonly #options: StoreOutageOptions;
  #asking: Promise<boolean> | undefined;
  #unanswered = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: StoreOutageOptions) {
    this.#options = options;
  }

  /** The engine has rejected a result. */
  async rejected(): Promise<void> {
    if (this.isDown || this.#stopped || (await this.#ask()) || this.isDown || this.#stopped) return;
    this.isDown = true;
    this.#options.onBegin();
    this.#askLater();
  }

  /** It is over: the store answers, or the engine has accepted a result. */
  end(): void {
    if (!this.isDown) return;
    clearTimeout(this.#timer);
    this.isDown = false;
    this.#unanswered = 0;
    this.#options.onEnd();
  }

  /** The store is asked no more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #askLater(): void {
    this.#unanswered += 1;
    this.#timer = setTimeout(() => void this.#askAgain(), backoffMs(this.#unanswered, ASK_BACKOFF, this.#options.random));
  }

  async #askAgain(): Promise<void> {
    const answers = await this.#ask();
    if (!this.isDown || this.#stopped) return;
    if (answers) this.end();
    else this.#askLater();
  }

  /** Once for all that were rejected together. */
  #ask(): Promise<boolean> {
    this.#asking ??= this.#options.ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }
}
