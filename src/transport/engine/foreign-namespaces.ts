import { NamespaceMismatchError } from '../../errors.ts';
import type { AttachableEngine } from './attachable-engine.ts';

/**
 * Namespaces whose runs are another engine's, though their results come to this one: the engines share a store and a
 * results queue. Given such a result, the engine would save it and leave the run asleep.
 *
 * An engine does not tell its namespace. So the first result of a foreign one is found out when its run is to be
 * continued; those that come after are found out before the engine is given them, at the price of one read of the store
 * each.
 */
export class ForeignNamespaces {
  readonly #engine: AttachableEngine;
  readonly #names = new Set<string>();

  constructor(engine: AttachableEngine) {
    this.#engine = engine;
  }

  /** @throws NamespaceMismatchError where the run is known to be another engine's. */
  async check(runId: string): Promise<void> {
    if (this.#names.size === 0) return;
    const run = await this.#engine.getRun(runId);
    if (run?.namespace !== undefined && this.#names.has(run.namespace)) throw new NamespaceMismatchError(runId);
  }

  /** Learns from how the run was continued; settles as that does. */
  async learn<T>(runId: string, continued: Promise<T>): Promise<T> {
    try {
      return await continued;
    } catch (error) {
      const run = error instanceof NamespaceMismatchError ? await this.#engine.getRun(runId) : undefined;
      if (run?.namespace !== undefined) this.#names.add(run.namespace);
      throw error;
    }
  }
}
