import { AsyncLocalStorage } from 'node:async_hooks';
import { backoffMs } from '../../sqs/retry.ts';
import type { Timing } from '../../time.ts';

/** A database restarts within this, and a run's lock outlives it. */
const OUTLAST_MS = 10_000;
const BACKOFF = { firstMs: 50, maxMs: 1_000 };

const TURN = new AsyncLocalStorage<true>();

/** Runs a turn. Whatever comes of it is part of it, also what the engine does not wait for: a child's start, and what its parent is told. */
export function asTurn<T>(turn: () => Promise<T>): Promise<T> {
  return TURN.run(true, turn);
}

/**
 * Makes a call that may be made twice, and makes it again when the store is back. Outside of a turn it makes it once.
 *
 * In a turn the engine takes a store that fails for a failure of the workflow: the run is `failed` for good, if the store is back a moment
 * later to take that.
 * @param ask rejects while the store is down. Where it answers, a call is made once more: then it is the call that the store refuses
 */
export async function outlastOutage<T>(call: () => Promise<T>, ask: () => Promise<unknown>, timing: Timing): Promise<T> {
  if (TURN.getStore() === undefined) return call();
  const deadline = timing.now() + OUTLAST_MS;
  let isRefused = false;
  for (let failures = 1; ; failures += 1) {
    try {
      return await call();
    } catch (error) {
      const answers = await ask().then(
        () => true,
        () => false,
      );
      if ((answers && isRefused) || timing.now() > deadline) throw error;
      isRefused = answers;
      await timing.sleep(backoffMs(failures, BACKOFF, timing.random));
    }
  }
}
