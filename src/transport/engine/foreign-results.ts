import { AwaitedElsewhereError } from '../../errors.ts';
import { steadyNow } from '../../time.ts';
import type { StepResult } from '../../wire/step-result.ts';
import type { EngineStore } from './engine-store.ts';

/** A result that was given back comes again at once, until it has reached the right instance. So long the store is not asked anew. */
const REMEMBERED_MS = 1_000;
const REMEMBERED = 10_000;

/**
 * Tells the results that another instance awaits in memory.
 *
 * A durable step has a checkpoint before it is dispatched, and any instance may take its result. A step with `timeoutMs` has none until its
 * result has come: the instance that dispatched it holds the run and waits. Here the engine would drop the result, and the step would time
 * out there.
 */
export class ForeignResults {
  readonly #store: EngineStore;
  /** By step, when it was found to be awaited elsewhere. Oldest first. */
  readonly #awaited = new Map<string, number>();

  constructor(store: EngineStore) {
    this.#store = store;
  }

  /**
   * One read of the store for the result of a durable step, which this instance has not dispatched; one more for what is awaited in memory.
   * @throws AwaitedElsewhereError where another instance waits for it.
   */
  async check({ runId, seq, stepId }: StepResult): Promise<void> {
    const now = steadyNow();
    if ((this.#awaited.get(stepId) ?? Number.NEGATIVE_INFINITY) > now - REMEMBERED_MS) throw new AwaitedElsewhereError(stepId);
    const { store } = this.#store;
    if ((await store.getCheckpoint(runId, seq)) !== null) return;
    // Nobody holds the run: its instance is gone, or the step was given up.
    if (((await store.getRun(runId))?.lockedUntil ?? 0) <= Date.now()) return;
    this.#awaited.delete(stepId);
    this.#awaited.set(stepId, steadyNow());
    const [oldest] = this.#awaited.size > REMEMBERED ? this.#awaited.keys() : [];
    if (oldest !== undefined) this.#awaited.delete(oldest);
    throw new AwaitedElsewhereError(stepId);
  }
}
