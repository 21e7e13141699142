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
 *       └────▶ ending        its invocation is about to end: what is half done is finished, nothing else begins
 *                └─▶ abandoned
 *
 * Ending: open calls are answered, and what follows them is done where a half of it would be lost: the task of a step
 * that is saved as out is sent, a signal that was taken from the store is saved.
 *
 * Abandoned: the process is frozen when its invocation has answered, and thawed by the next one, which may be hours
 * later. What was abandoned must not go on then: another environment has taken the run, and a late write would land on
 * top of what that one has written. So no call of it is made any more, and none is answered. What waits for an answer
 * is forgotten with it.
 */
export class OpenWork {
  /** Calls and turns. */
  readonly #pending = new PendingCount();
  /** Calls of the store and sends, also once the work is ending. */
  readonly #calls = new PendingCount();
  /** Calls of the store, those of abandoned turns among them. */
  readonly #storeCalls = new PendingCount();
  readonly #runIds = new Set<string>();
  readonly #askedFor = new Set<string>();
  #state: 'open' | 'ending' | 'abandoned' = 'open';

  /** The work that the running code belongs to. Undefined outside of an invocation. */
  static current(): OpenWork | undefined {
    return CURRENT.getStore();
  }

  /** Calls and turns that are open. */
  get size(): number {
    return this.#pending.size;
  }

  /** Runs of which it has begun a turn. */
  get runIds(): ReadonlySet<string> {
    return this.#runIds;
  }

  /** Runs of which the store was asked. */
  get askedFor(): ReadonlySet<string> {
    return this.#askedFor;
  }

  /** Whether the store has answered all that it was asked, whoever still hears of it. */
  get isStoreIdle(): boolean {
    return this.#storeCalls.size === 0;
  }

  /** Runs code as part of this work. Settles as the code does. */
  run<T>(code: () => Promise<T>): Promise<T> {
    return CURRENT.run(this, () => this.#turn(code));
  }

  /** A turn of a run begins. */
  begins(runId: string): void {
    this.#runIds.add(runId);
  }

  /** The store is asked for a run, or for something of it. */
  asksFor(runId: string): void {
    this.#askedFor.add(runId);
  }

  /** Resolves when nothing is open any more. */
  idle(): Promise<void> {
    return quiet(this.#pending);
  }

  /**
   * Its invocation is about to end.
   * @returns resolves when nothing is half done
   */
  end(): Promise<void> {
    this.#state = 'ending';
    return quiet(this.#calls);
  }

  /** Its invocation ends. */
  abandon(): void {
    this.#state = 'abandoned';
  }

  /**
   * Makes a call of the store as part of the current work. Outside of any it is only made.
   * @param finishes whether it finishes what an earlier one began
   */
  static ofStore<T>(call: () => Promise<T>, finishes: boolean): Promise<T> {
    const work = CURRENT.getStore();
    if (work === undefined) return call();
    return work.#call(async () => {
      work.#storeCalls.begin();
      try {
        return await call();
      } finally {
        work.#storeCalls.end();
      }
    }, finishes);
  }

  /** Sends a message as part of the current work: it is the second half of what the store has. */
  static sent<T>(send: () => Promise<T>): Promise<T> {
    const work = CURRENT.getStore();
    return work === undefined ? send() : work.#call(send, true);
  }

  /** Makes a turn part of the current work. Outside of any it is only begun. */
  static turn<T>(turn: () => Promise<T>): Promise<T> {
    const work = CURRENT.getStore();
    return work === undefined ? turn() : work.#turn(turn);
  }

  #isOpen(): boolean {
    return this.#state === 'open';
  }

  #isAnswered(): boolean {
    return this.#state !== 'abandoned';
  }

  async #call<T>(call: () => Promise<T>, finishes: boolean): Promise<T> {
    if (!(finishes ? this.#isAnswered() : this.#isOpen())) return never();
    this.#pending.begin();
    this.#calls.begin();
    try {
      return await call();
    } finally {
      this.#pending.end();
      this.#calls.end();
      if (!this.#isAnswered()) await never();
    }
  }

  /** What follows a turn (a record that is settled, another turn) has no part in what is half done. */
  async #turn<T>(turn: () => Promise<T>): Promise<T> {
    if (!this.#isOpen()) return never();
    this.#pending.begin();
    try {
      return await turn();
    } finally {
      this.#pending.end();
      if (!this.#isOpen()) await never();
    }
  }
}

async function quiet(pending: PendingCount): Promise<void> {
  do {
    await pending.idle();
    await new Promise((resolve) => setTimeout(resolve, TIMER_MS));
    for (let turn = 0; turn < QUIET_TURNS && pending.size === 0; turn += 1) await nextTurn();
  } while (pending.size > 0);
}

/** A promise of its own each time; one that all share would keep all that wait for it. */
function never(): Promise<never> {
  return new Promise(() => {});
}
