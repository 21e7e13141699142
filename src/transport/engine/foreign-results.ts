import { AwaitedElsewhereError } from '../../errors.ts';
import { steadyNow } from '../../time.ts';
import type { StepResult } from '../../wire/step-result.ts';
import type { EngineStore } from './engine-store.ts';

/**
 * A result that was given back comes again at once, until it has reached the right instance. So long the store is not
 * asked anew.
 */
const ASKED_EVERY_MS = 1_000;
const REMEMBERED = 10_000;
const NEVER = Number.NEGATIVE_INFINITY;

/** What is known of a step without a checkpoint. */
interface Awaited {
  /** When the store was last asked for its run, by the steady clock. */
  readonly askedAt: number;
  /** There was no such run then. */
  readonly isGone: boolean;
}

/**
 * Tells the results that another instance awaits in memory.
 *
 * A durable step has a checkpoint before it is dispatched, and any instance may take its result. A step with
 * `timeoutMs` has none until its result has come: the instance that dispatched it holds the run and waits. Here the
 * engine would drop the result, and the step would time out there.
 */
export class ForeignResults {
  readonly #store: EngineStore;
  /** By step id, oldest first. */
  readonly #awaited = new Map<string, Awaited>();

  constructor(store: EngineStore) {
    this.#store = store;
  }

  /**
   * Reads the store once, at most. A result without a checkpoint is given back first; only where it comes again it is
   * asked whether anybody holds its run.
   * @throws AwaitedElsewhereError where another instance may wait for it.
   */
  async check({ runId, seq, stepId }: StepResult): Promise<void> {
    const known = this.#awaited.get(stepId);
    if (known === undefined) {
      if ((await this.#store.store.getCheckpoint(runId, seq)) !== null) return;
      this.#remember(stepId, { askedAt: NEVER, isGone: false });
    } else if (known.askedAt <= steadyNow() - ASKED_EVERY_MS) {
      const run = await this.#store.store.getRun(runId);
      const isHeld = (run?.lockedUntil ?? 0) > Date.now();
      if (isHeld || run === null) this.#remember(stepId, { askedAt: steadyNow(), isGone: run === null });
      else this.#awaited.delete(stepId);
      // Where nobody holds it, its instance is gone, or the step was given up.
      if (!isHeld) return;
    } else if (known.isGone) {
      return;
    }
    throw new AwaitedElsewhereError(stepId);
  }

  #remember(stepId: string, awaited: Awaited): void {
    this.#awaited.delete(stepId);
    this.#awaited.set(stepId, awaited);
    const [oldest] = this.#awaited.size > REMEMBERED ? this.#awaited.keys() : [];
    if (oldest !== undefined) this.#awaited.delete(oldest);
  }
}
