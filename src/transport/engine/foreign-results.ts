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

/**
 * Tells the results that another instance awaits in memory.
 *
 * A durable step has a checkpoint before it is dispatched, and any instance may take its result. A step with
 * `timeoutMs` has none until its result has come: the instance that dispatched it holds the run and waits. Here the
 * engine would drop the result, and the step would time out there.
 */
export class ForeignResults {
  readonly #store: EngineStore;
  /** Steps that another instance may await, by when it was last asked who holds their run. Oldest first. */
  readonly #awaited = new Map<string, number>();

  constructor(store: EngineStore) {
    this.#store = store;
  }

  /**
   * Reads the store once, at most. A result without a checkpoint is given back first; only where it comes again it is
   * asked whether anybody holds its run.
   * @throws AwaitedElsewhereError where another instance may wait for it.
   */
  async check({ runId, seq, stepId }: StepResult): Promise<void> {
    const askedAt = this.#awaited.get(stepId);
    if (askedAt === undefined) {
      if ((await this.#store.store.getCheckpoint(runId, seq)) !== null) return;
      this.#remember(stepId, NEVER);
    } else if (askedAt <= steadyNow() - ASKED_EVERY_MS) {
      this.#awaited.delete(stepId);
      if (!(await this.#isHeld(runId))) return;
      this.#remember(stepId, steadyNow());
    }
    throw new AwaitedElsewhereError(stepId);
  }

  /** Where nobody holds it, its instance is gone, or the step was given up. */
  async #isHeld(runId: string): Promise<boolean> {
    return ((await this.#store.store.getRun(runId))?.lockedUntil ?? 0) > Date.now();
  }

  #remember(stepId: string, askedAt: number): void {
    this.#awaited.set(stepId, askedAt);
    const [oldest] = this.#awaited.size > REMEMBERED ? this.#awaited.keys() : [];
    if (oldest !== undefined) this.#awaited.delete(oldest);
  }
}
