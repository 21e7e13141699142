import type { RunStatus, StateStore } from '@dudousxd/nestjs-durable-core';
import { backoffMs, retry } from '../../sqs/retry.ts';
import { type Timing, within } from '../../time.ts';

/** What is needed of the engine. Its `cancelWhere` and the cancel of children go by its `cancel`. */
export interface CancellingEngine {
  cancel(runId: string, options?: object): Promise<{ readonly status: RunStatus } | null>;
}

const CANCELLED: ReadonlySet<unknown> = new Set<RunStatus>(['cancelled', 'cancelling']);
const OVER: ReadonlySet<unknown> = new Set<RunStatus>(['cancelled', 'cancelling', 'completed', 'failed', 'dead']);

/**
 * A turn overwrites a cancel with calls that it had begun before it, or not at all. A turn that awaits a step in memory
 * is not waited for.
 */
const TURN_MS = 10_000;
/** Who cancels waits so long at most to hear of it. */
const ANSWER_MS = 1_000;
const LOOK_AGAIN = { firstMs: 20, maxMs: 500 };
const MOST_TRIES = 10;
/** A database restarts within that. */
const OUTAGE = { backoff: { firstMs: 100, maxMs: 2_000 }, timeoutMs: 60_000 };

/** Cancels that the engine has answered for, and that a turn can still write over. */
export class OpenCancels {
  /** By run: settles when its latest cancel lasts. Never, where the invocation of an engine function gave it up. */
  readonly #lasting = new Map<string, Promise<void>>();

  add(runId: string, lasting: Promise<void>): void {
    this.#lasting.set(runId, lasting);
    void lasting.then(() => {
      if (this.#lasting.get(runId) === lasting) this.#lasting.delete(runId);
    });
  }

  /** Resolves when the run's cancel lasts. */
  async lasts(runId: string): Promise<void> {
    await this.#lasting.get(runId);
  }

  /** Resolves when all of them last. */
  async last(): Promise<void> {
    await Promise.all(this.#lasting.values());
  }
}

/**
 * Has a cancel outlast the turn that goes on beside it, here or in another instance.
 *
 * The engine cancels without the run's lock. A turn reads the run, and writes `suspended` some store calls later: a
 * cancel in between is overwritten, and the run goes on. So once the turn is over the run is looked at, and cancelled
 * again where it needs to be.
 */
export function installLastingCancel(engine: object, store: StateStore, timing: Timing): OpenCancels {
  const open = new OpenCancels();
  if (!isCancelling(engine)) return open;
  const cancel = engine.cancel.bind(engine);
  engine.cancel = async (runId, options) => {
    const result = await cancel(runId, options);
    if (result === null || !CANCELLED.has(result.status)) return result;
    const lasting = retry(() => untilItLasts(runId, () => cancel(runId, options), store, timing), {
      ...OUTAGE,
      timing,
      isTransient: () => true,
    }).catch(() => undefined);
    open.add(runId, lasting);
    // Whoever asked for the cancel is told what the store had taken.
    await within(ANSWER_MS, lasting);
    return result;
  };
  return open;
}

async function untilItLasts(runId: string, cancel: () => Promise<unknown>, store: StateStore, timing: Timing): Promise<void> {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const status = await statusAfterTurn(runId, store, timing);
    if (status === undefined || OVER.has(status)) return;
    await cancel();
  }
}

/** Undefined where the run is gone. */
async function statusAfterTurn(runId: string, store: StateStore, timing: Timing): Promise<RunStatus | undefined> {
  const deadline = timing.now() + TURN_MS;
  for (let looks = 1; ; looks += 1) {
    const run = await store.getRun(runId);
    if (run === null || (run.lockedUntil ?? 0) <= Date.now() || timing.now() > deadline) return run?.status;
    await timing.sleep(backoffMs(looks, LOOK_AGAIN, timing.random));
  }
}

function isCancelling(engine: object): engine is CancellingEngine {
  return typeof Reflect.get(engine, 'cancel') === 'function';
}
