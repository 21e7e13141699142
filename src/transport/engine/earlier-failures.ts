import { failedAttemptOf, type StepResult } from '../../wire/step-result.ts';
import type { EngineStore } from './engine-store.ts';

/**
 * Tells the failures of attempts that are over.
 *
 * A result does not say which attempt it is of, so the engine takes whatever comes for that which is out. A failure
 * that comes again, or late after its step was sent once more, would use up a retry, and the result of the attempt that
 * is out would be dropped. Our workers say which attempt has failed.
 */
export class EarlierFailures {
  readonly #store: EngineStore;

  constructor(store: EngineStore) {
    this.#store = store;
  }

  /** One read of the store for the failure of a step. */
  async includes(result: StepResult): Promise<boolean> {
    const attempt = failedAttemptOf(result);
    if (attempt === undefined) return false;
    const checkpoint = await this.#store.store.getCheckpoint(result.runId, result.seq);
    return checkpoint?.status === 'pending' && checkpoint.attempts > attempt;
  }
}
