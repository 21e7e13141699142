import type { RunStatus, StateStore } from '@dudousxd/nestjs-durable-core';
import { backoffMs, retry } from '../../sqs/retry.ts';
import { type Timing, within } from '../../time.ts';
import { ENGINE_LEASE_MS } from './engine-lease.ts';

/** What is needed of the engine. Its `cancelWhere` and the cancel of children go by its `cancel`. */
export interface CancellingEngine {
  cancel(runId: string, options?: object): Promise<{ readonly status: RunStatus } | null>;
}

const CANCELLED: ReadonlySet<unknown> = new Set<RunStatus>(['cancelled', 'cancelling']);
const ENDED: ReadonlySet<unknown> = new Set<RunStatus>(['completed', 'failed', 'dead']);

/** The owner of the lock of a run that is cancelled. */
const OWNER = 'durable-sqs-lambda:cancel';
/** A turn that awaits a step in memory is not waited for. */
const TURN_MS = 10_000;
/** A run that compensates needs its lock. Whoever had read it before has written it by then. */
const LATE_TURN_MS = 1_000;
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
 * Has a cancel outlast the turns beside it, here and in other instances.
 *
 * The engine cancels without the run's lock. A turn reads the run, takes the lock, and writes `running` or `suspended`
 * some store calls later: a cancel in between is overwritten, and the run goes on. So the lock is taken here: when it
 * is free, the turn that had it is over, and the run is cancelled again where it needs to be. And it is kept: a turn
 * that had read the run before the cancel does not get it.
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
  let looksAgain = true;
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const isLocked = await lock(runId, store, timing);
    const status = (await store.getRun(runId))?.status;
    if (status === 'cancelled') return;
    if (isLocked) await store.releaseRunLock(runId);
    if (status === undefined || ENDED.has(status)) return;
    if (status !== 'cancelling') {
      await cancel();
    } else if (looksAgain) {
      looksAgain = false;
      await timing.sleep(LATE_TURN_MS);
    } else {
      return;
    }
  }
}

/**
 * Takes the lock of the run, which lapses by itself: no turn that is not at a stand begins later than a lease with what
 * it has read. One that another cancel of the run has is as good.
 * @returns false where a turn kept it for too long
 */
async function lock(runId: string, store: StateStore, timing: Timing): Promise<boolean> {
  const deadline = timing.now() + TURN_MS;
  for (let looks = 1; ; looks += 1) {
    const now = Date.now();
    if (await store.tryLockRun(runId, OWNER, now + ENGINE_LEASE_MS, now)) return true;
    const run = await store.getRun(runId);
    if (run?.lockedBy === OWNER) return true;
    if (run === null || timing.now() > deadline) return false;
    await timing.sleep(backoffMs(looks, LOOK_AGAIN, timing.random));
  }
}

function isCancelling(engine: object): engine is CancellingEngine {
  return typeof Reflect.get(engine, 'cancel') === 'function';
}
