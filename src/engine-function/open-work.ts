import { AsyncLocalStorage } from 'node:async_hooks';
import { PendingCount } from '../sqs/pending-count.ts';
import { nextTurn } from '../time.ts';

/** The engine sets timers of 0 ms between two calls of its store; a later timer of this length fires after them. */
const TIMER_MS = 2;
/** Of the event loop, without an open call: what the engine asks for with an answer, it asks for in the same. */
const QUIET_TURNS = 3;

const CURRENT = new AsyncLocalStorage<OpenWork>();

/**
 * What the engine does for one record, or for one tick: every call of its store and transport, and every turn, that
 * comes of it, also where the engine does not wait for it (a child's start, what its parent is told).
 *
 *     open ──▶ idle          nothing that it began is open any more
 *       └────▶ abandoned     its invocation is about to end
 *
 * The process is frozen when its invocation has answered, and thawed by the next one, which may be hours later. What
 * was abandoned must not go on then: another environment has taken the run, and a late write would land on top of what
 * that one has written. So no call of it is made any more, and none is answered. What waits for an answer is forgotten
 * with it.
 */
export class OpenWork {
  readonly #pending = new PendingCount();
  /** Calls of the store, those of abandoned turns among them. */
  readonly #storeCalls = new PendingCount();
  readonly #runIds = new Set<string>();
  #isAbandoned = false;

  /** The work that the running code belongs to. Undefined outside of an invocation. */
  static current(): OpenWork | undefined {
    return CURRENT.getStore();
  }

  /** Calls that are open. */
  get size(): number {
    return this.#pending.size;
  }

  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  /** Runs of which it has begun a turn. */
  get runIds(): ReadonlySet<string> {
    return this.#runIds;
  }

  /** Runs code as part of this work. Settles as the code does. */
  run<T>(code: () => Promise<T>): Promise<T> {
    return CURRENT.run(this, () => this.#count(code));
  }

  /** A turn of a run begins. */
  begins(runId: string): void {
    this.#runIds.add(runId);
  }

  /** Resolves when nothing is open any more. */
  async idle(): Promise<void> {
    do {
      await this.#pending.idle();
      await new Promise((resolve) => setTimeout(resolve, TIMER_MS));
      for (let turn = 0; turn < QUIET_TURNS && this.#pending.size === 0; turn += 1) await nextTurn();
    } while (this.#pending.size > 0);
  }

  /** Its invocation is about to end. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  /** Resolves when the store has answered all that it was asked, whoever still hears of it. */
  storeIdle(): Promise<void> {
    return this.#storeCalls.idle();
  }

  /** Makes a call, unless the work was abandoned; gives its answer, unless it was abandoned meanwhile. */
  async #count<T>(call: () => Promise<T>): Promise<T> {
    if (this.#isAbandoned) return never();
    this.#pending.begin();
    try {
      return await call();
    } finally {
      this.#pending.end();
      if (this.#isAbandoned) await never();
    }
  }

  /** Makes a call of the store as part of the current work. Outside of any it is only made. */
  static ofStore<T>(call: () => Promise<T>): Promise<T> {
    const work = CURRENT.getStore();
    if (work === undefined) return call();
    return work.#count(async () => {
      work.#storeCalls.begin();
      try {
        return await call();
      } finally {
        work.#storeCalls.end();
      }
    });
  }

  /** Makes a call as part of the current work. Outside of any it is only made. */
  static counted<T>(call: () => Promise<T>): Promise<T> {
    const work = CURRENT.getStore();
    return work === undefined ? call() : work.#count(call);
  }
}

/** A promise of its own each time: one that all share would keep all that wait for it. */
function never(): Promise<never> {
  return new Promise(() => {});
}
