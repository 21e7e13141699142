import { AsyncLocalStorage } from 'node:async_hooks';
import { backoffMs } from '../../sqs/retry.ts';
import type { Timing } from '../../time.ts';

/** A database restarts within this, and a run's lock outlives it. */
const OUTLAST_MS = 10_000;
/** Far above what a busy database takes: a write that is given up, and comes all the same, comes when its turn is over. */
const UNANSWERED_MS = 15_000;
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
export function outlastOutage<T>(call: () => Promise<T>, ask: () => Promise<unknown>, timing: Timing): Promise<T> {
  if (TURN.getStore() === undefined) return call();
  return answered(call).catch((error: unknown) => callAgain(error, call, ask, timing));
}

async function callAgain<T>(first: unknown, call: () => Promise<T>, ask: () => Promise<unknown>, timing: Timing): Promise<T> {
  const deadline = timing.now() + OUTLAST_MS;
  let isRefused = false;
  let error = first;
  for (let failures = 1; ; failures += 1) {
    const answers = await answered(ask).then(
      () => true,
      () => false,
    );
    if ((answers && isRefused) || timing.now() > deadline) throw error;
    isRefused = answers;
    await timing.sleep(backoffMs(failures, BACKOFF, timing.random));
    try {
      return await answered(call);
    } catch (again) {
      error = again;
    }
  }
}

/** Settles as the call does, or rejects: a driver whose connection was cut may leave a call without any answer. */
function answered<T>(call: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`the engine's store did not answer within ${UNANSWERED_MS} ms`)), UNANSWERED_MS);
    call().then(
      (value) => {
        clearTimeout(limit);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(limit);
        reject(error);
      },
    );
  });
}
