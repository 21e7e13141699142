import { errorFields, type Logger } from '../../logger.ts';
import { PendingCount } from '../../sqs/pending-count.ts';
import { type Timing, within } from '../../time.ts';
import type { PollableEngine } from './attachable-engine.ts';
import { type PassLease, RENEW_EVERY_MS } from './pass-lease.ts';

/**
 * A pass takes as long as the turns that it begins, one of which may await a step in memory. The next pass does not
 * wait for it longer than this: a run that is in a turn is not begun twice.
 */
const PASS_TAKES_MS = 2_000;
/** Passes that are under way together. Where more would be, they are slow because the store is. */
const MOST_AT_ONCE = 4;
/** It reads what all parents wait for, and what it finds was lost when a process died. */
const TELLS_CHILD_ENDS_EVERY = 10;

/**
 * One pass over pending, incomplete, due and timed-out runs, in the order of Nest's own poller. Takes as long as the
 * turns that it begins.
 */
export async function runPasses(engine: PollableEngine): Promise<void> {
  await engine.runPending();
  await engine.recoverIncomplete();
  await engine.resumeDueTimers();
  await engine.sweepTimeouts();
}

export interface EnginePassesOptions {
  readonly engine: PollableEngine;
  /** Tells parents of children whose end they were not told. Absent where the store is not known. */
  readonly tellChildEnds?: (() => Promise<void>) | undefined;
  /** Absent where the instances have nothing in common to agree by: then each runs the passes. */
  readonly lease: PassLease | undefined;
  readonly logger: Logger;
  readonly timing: Timing;
}

/**
 * Runs the engine's passes over pending, incomplete, due and timed-out runs once a second, while this instance holds
 * the lease.
 */
export class EnginePasses {
  readonly #options: EnginePassesOptions;
  readonly #stopped = new AbortController();
  readonly #underWay = new PendingCount();
  #loop: Promise<void> = Promise.resolve();
  #isFailing = false;
  #passes = 0;

  constructor(options: EnginePassesOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop = this.#poll();
  }

  /** Begins no pass any more. One that is under way goes on; see {@link settled}. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
    // At once: another instance is to take over while the turns of this one come to their end.
    await this.#options.lease?.release().catch(() => undefined);
  }

  settled(): Promise<void> {
    return this.#underWay.idle();
  }

  abandon(): void {}

  async #poll(): Promise<void> {
    const { lease, timing } = this.#options;
    while (!this.#stopped.signal.aborted) {
      const isOurs = await this.#survive(async () => lease === undefined || (await lease.hold()));
      if (isOurs === true && this.#underWay.size < MOST_AT_ONCE) await within(PASS_TAKES_MS, this.#pass());
      await timing.sleep(RENEW_EVERY_MS, this.#stopped.signal);
    }
  }

  async #pass(): Promise<void> {
    const { engine, tellChildEnds } = this.#options;
    this.#underWay.begin();
    this.#passes += 1;
    const tells = this.#passes % TELLS_CHILD_ENDS_EVERY === 0;
    await this.#survive(async () => {
      await runPasses(engine);
      if (tells) await tellChildEnds?.();
      this.#isFailing = false;
    });
    this.#underWay.end();
  }

  /** A failure is told once, until a pass has come to its end again. */
  async #survive<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!this.#isFailing) this.#options.logger.warn("a pass over the engine's runs failed; the next one tries again", errorFields(error));
      this.#isFailing = true;
      return undefined;
    }
  }
}
