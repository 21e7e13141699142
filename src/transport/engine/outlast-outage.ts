import { AsyncLocalStorage } from 'node:async_hooks';
import { backoffMs } from '../../sqs/retry.ts';
import type { Timing } from '../../time.ts';

/** A database restarts within this, and a run's lock outlives it. */
const OUTLAST_MS = 10_000;
/** Far above what a busy database takes. */
const UNANSWERED_MS = 15_000;
/** Counted in ticks of a timer: time in which the process stood still says nothing of the store. */
const TICK_MS = 1_000;
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
  return answered(call, ask, (error) => callAgain(error, call, ask, timing));
}

async function callAgain<T>(first: unknown, call: () => Promise<T>, ask: () => Promise<unknown>, timing: Timing): Promise<T> {
  const deadline = timing.now() + OUTLAST_MS;
  let isRefused = false;
  let error = first;
  for (let failures = 1; ; failures += 1) {
    const answers = await answered(ask, ask).then(
      () => true,
      () => false,
    );
    if ((answers && isRefused) || timing.now() > deadline) throw error;
    isRefused = answers;
    await timing.sleep(backoffMs(failures, BACKOFF, timing.random));
    try {
      return await answered(call, ask);
    } catch (again) {
      error = again;
    }
  }
}

/** A call that the store has not answered. */
interface OpenCall {
  ticks: number;
  /** It may never be. */
  readonly onSilence: () => void;
}

const OPEN = new Set<OpenCall>();
let ticking: NodeJS.Timeout | undefined;

/**
 * Settles as the call does. A driver whose connection was cut may leave a call without any answer: then it is made again, once the store
 * answers anything. Where it does not, the call is waited for, as the engine itself would: to reject it would end a process that may only
 * be waiting for its database.
 * @param failed what a rejection becomes
 */
function answered<T>(call: () => Promise<T>, ask: () => Promise<unknown>, failed?: (error: unknown) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const again = () => {
      OPEN.delete(open);
      return answered(call, ask, failed).then(resolve, reject);
    };
    const open: OpenCall = { ticks: 0, onSilence: () => void ask().then(again, () => undefined) };
    OPEN.add(open);
    ticking ??= setInterval(tick, TICK_MS).unref();
    call().then(
      (value) => {
        OPEN.delete(open);
        resolve(value);
      },
      (error: unknown) => {
        OPEN.delete(open);
        if (failed === undefined) reject(error);
        else failed(error).then(resolve, reject);
      },
    );
  });
}

function tick(): void {
  if (OPEN.size === 0) {
    clearInterval(ticking);
    ticking = undefined;
  }
  for (const open of [...OPEN]) {
    open.ticks += 1;
    if (open.ticks * TICK_MS < UNANSWERED_MS) continue;
    open.ticks = 0;
    open.onSilence();
  }
}
