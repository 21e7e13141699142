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
/**
 * Calls in a row that a store refuses which answers others. Fewer say nothing: after a restart a pool still holds dead
 * connections, and a call may get one after the other while the question gets a new one.
 */
const REFUSED_CALLS = 5;

/** Of which run. */
const TURN = new AsyncLocalStorage<string>();

/**
 * Runs a turn. Whatever comes of it is part of it, also what the engine does not wait for: a child's start, and what
 * its parent is told.
 */
export function asTurn<T>(runId: string, turn: () => Promise<T>): Promise<T> {
  return TURN.run(runId, turn);
}

/** Whether the running code is part of a turn of the run. A pass of the engine is not, until it begins one. */
export function isInTurn(runId: string): boolean {
  return TURN.getStore() === runId;
}

export type Call<T> = (isRepeat: boolean) => Promise<T>;

/** A store that may be out of reach for a while. */
export interface AskedStore {
  /** Rejects while it is. */
  readonly ask: () => Promise<unknown>;
  readonly timing: Timing;
}

/**
 * Makes a call, and makes it again when the store is back. Outside of a turn it makes it once.
 *
 * In a turn the engine takes a store that fails for a failure of the workflow: the run is `failed` for good, if the
 * store is back a moment later to take that.
 *
 * Where the store answers and refuses {@link REFUSED_CALLS} in a row, it is the call that it refuses.
 * @param call `isRepeat`: an earlier one failed or was not answered, and may have been carried out
 * @param onSettled called before the caller hears
 */
export function outlastOutage<T>(call: Call<T>, store: AskedStore, onSettled: () => void = nothing): Promise<T> {
  if (TURN.getStore() !== undefined) return answered(call, store, { onSettled, failed: callAgain });
  const answer = call(false);
  answer.then(onSettled, onSettled);
  return answer;
}

async function callAgain<T>(first: unknown, call: Call<T>, store: AskedStore): Promise<T> {
  const { ask, timing } = store;
  const deadline = timing.now() + OUTLAST_MS;
  let refused = 0;
  let error = first;
  for (let failures = 1; ; failures += 1) {
    const answers = await answered(ask, store).then(
      () => true,
      () => false,
    );
    refused = answers ? refused + 1 : 0;
    if (refused === REFUSED_CALLS || timing.now() > deadline) throw error;
    await timing.sleep(backoffMs(failures, BACKOFF, timing.random));
    try {
      return await answered(() => call(true), store);
    } catch (again) {
      error = again;
    }
  }
}

/** A call that the store has not answered. */
interface OpenCall {
  ticks: number;
  // Both as part of their turn, not of the one that began to tick: it may have been abandoned
  // (`src/engine-function/open-work.ts`).
  /** Makes it once more. The first answer counts. */
  readonly repeat: () => void;
  readonly ask: () => Promise<unknown>;
}

const OPEN = new Set<OpenCall>();
let ticking: NodeJS.Timeout | undefined;

/**
 * Settles as the call does. A driver whose connection was cut may leave a call without any answer: then it is made
 * again, once the store answers anything. Where it does not, the call is waited for, as the engine itself would: to
 * reject it would end a process that may only be waiting for its database.
 *
 * One promise and no async function: the engine makes seventeen calls a step.
 * @param failed what a rejection becomes
 */
function answered<T>(
  call: Call<T>,
  store: AskedStore,
  { onSettled, failed }: { onSettled: () => void; failed: typeof callAgain<T> } = { onSettled: nothing, failed: rejected },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const make = (isRepeat: boolean) => {
      call(isRepeat).then(
        (value) => {
          if (!OPEN.delete(open)) return;
          onSettled();
          resolve(value);
        },
        (error: unknown) => {
          if (OPEN.delete(open)) failed(error, call, store).then(resolve, reject).finally(onSettled);
        },
      );
    };
    const inTurn = AsyncLocalStorage.snapshot();
    const open: OpenCall = { ticks: 0, repeat: () => inTurn(make, true), ask: () => inTurn(store.ask) };
    OPEN.add(open);
    ticking ??= setInterval(tick, TICK_MS).unref();
    make(false);
  });
}

function tick(): void {
  if (OPEN.size === 0) {
    clearInterval(ticking);
    ticking = undefined;
  }
  for (const open of OPEN) {
    open.ticks += 1;
    if (open.ticks * TICK_MS >= UNANSWERED_MS) void makeAgain(open);
  }
}

/** Where the store answers, and the call is still open. */
async function makeAgain(open: OpenCall): Promise<void> {
  open.ticks = 0;
  await open.ask().then(() => OPEN.has(open) && open.repeat(), nothing);
}

async function rejected(error: unknown): Promise<never> {
  throw error;
}

function nothing(): void {}
