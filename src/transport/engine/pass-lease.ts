import { randomUUID } from 'node:crypto';
import type { StateStore } from '@dudousxd/nestjs-durable-core';

/** An instance that died is replaced within this and {@link RENEW_EVERY_MS}, together less than ten seconds. */
const LEASE_MS = 8_000;
/** How often it is asked for. */
export const RENEW_EVERY_MS = 1_000;

/**
 * Says which of the instances on a store runs the engine's passes: the one that holds the lock of a run that is there
 * for nothing else. So it takes no service beside the store, and whatever the store makes of locks holds for this one.
 * The run is `completed`, and no pass looks at it.
 */
export class PassLease {
  readonly #store: StateStore;
  readonly #runId: string;
  readonly #namespace: string | undefined;
  readonly #owner = randomUUID();
  #isHeld = false;

  /** @param namespace the engine's: its passes see the runs of that namespace only */
  constructor(store: StateStore, namespace: string | undefined) {
    this.#store = store;
    this.#namespace = namespace;
    this.#runId = `durable-sqs-lambda:passes${namespace === undefined ? '' : `:${namespace}`}`;
  }

  /**
   * Whether this instance has it now, for {@link LEASE_MS}. Rejects as the store does, and then it may have it or not.
   */
  async hold(): Promise<boolean> {
    const now = Date.now();
    this.#isHeld = this.#isHeld && (await this.#store.renewRunLock(this.#runId, this.#owner, now + LEASE_MS));
    if (!this.#isHeld) this.#isHeld = await this.#lock(now);
    if (!this.#isHeld && (await this.#store.getRun(this.#runId)) === null) {
      await this.#create();
      this.#isHeld = await this.#lock(now);
    }
    return this.#isHeld;
  }

  /** Leaves it to the others. */
  async release(): Promise<void> {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    await this.#store.releaseRunLock(this.#runId);
  }

  #lock(now: number): Promise<boolean> {
    return this.#store.tryLockRun(this.#runId, this.#owner, now + LEASE_MS, now);
  }

  async #create(): Promise<void> {
    const at = new Date();
    try {
      await this.#store.createRun({
        id: this.#runId,
        workflow: 'durable-sqs-lambda:passes',
        workflowVersion: '1',
        status: 'completed',
        input: null,
        namespace: this.#namespace,
        createdAt: at,
        updatedAt: at,
      });
    } catch (error) {
      // Another instance was a moment faster.
      if ((await this.#store.getRun(this.#runId)) === null) throw error;
    }
  }
}
