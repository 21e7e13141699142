import { namedError } from './named-error.ts';
/** Clocks, timers and time limits: all that this package knows of time. */

/**
 * Milliseconds of a clock that never jumps, from a moment of its own choice.
 *
 * Not `performance.now()`: its first use loads all of Node's `perf_hooks`, in the middle of a cold start's first
 * invocation.
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

const LOADED_AT = Math.round(Date.now() - monotonicMs());

/**
 * Whole milliseconds of a clock that nobody sets: near the epoch's, and to be compared with each other only. The clock
 * on the wall is corrected by an hour now and then, and what is waited for until a moment on it would come an hour too
 * late, or at once.
 */
export function steadyNow(): number {
  return Math.floor(LOADED_AT + monotonicMs());
}

export interface Timing {
  /** Milliseconds; of a clock that nobody sets. */
  now(): number;
  /** Resolves after the time or, early, when the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** 0 to 1. */
  random(): number;
}

export const systemTiming: Timing = {
  now: steadyNow,
  // Looked up at each call: fakes replace it after this module was loaded.
  random: () => Math.random(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', done, { once: true });
    }),
};

/**
 * Resolves once everything that is ready to run has run. A request costs a tenth of a millisecond of this process's
 * only thread: who begins one that nobody waits for lets those go first that somebody does.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Whether the work came to its end in time. Late or not, it goes on. */
export async function within(timeoutMs: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  try {
    return await Promise.race([work.then(() => true as const), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Between telling a call to end and giving it up: a request that is told so ends at once, and with a better error. */
const GRACE_MS = 1_000;

/**
 * Runs one call, tells it to end when its time is up or `signal` aborts, and then waits for it no longer: a call that
 * is still getting credentials, say, hears nothing of its signal. Time in which the process stood still does not count.
 * @param timedOut what is thrown where the time was up, for what the call threw then
 */
export async function withinTime<T>(
  timeoutMs: number,
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<T>,
  timedOut: (cause: unknown) => unknown = (cause) => cause,
): Promise<T> {
  // Not AbortSignal.any: the outer signal lives as long as its poller, and would collect one dependant per call.
  const controller = new AbortController();
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  let late = false;
  let grace: NodeJS.Timeout | undefined;
  const abort = () => {
    controller.abort();
    limit.clear();
    grace = setTimeout(() => reject(namedError('AbortError', 'the call was told to end and did not')), GRACE_MS);
  };
  const limit = runningLimit(timeoutMs, () => {
    late = true;
    abort();
  });
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  try {
    return await Promise.race([call(controller.signal), givenUp]);
  } catch (error) {
    throw late ? timedOut(error) : error;
  } finally {
    limit.clear();
    clearTimeout(grace);
    signal?.removeEventListener('abort', abort);
  }
}

/** A time limit that can be called off. */
export interface RunningLimit {
  clear(): void;
}

/** A timer that fires later than this after its time did so because the process stood still. */
const STOOD_STILL_MS = 500;

/**
 * Calls `over` after `ms` in which the process was running.
 *
 * A process that was frozen, or busy, wakes with its timers overdue before it has read what arrived in the meantime:
 * such a timer says nothing of the other side, which is given the time once more.
 */
export function runningLimit(ms: number, over: () => void): RunningLimit {
  let due = Date.now() + ms;
  const fired = () => {
    if (Date.now() - due <= STOOD_STILL_MS) return over();
    due = Date.now() + ms;
    timer = setTimeout(fired, ms);
  };
  let timer = setTimeout(fired, ms);
  return { clear: () => clearTimeout(timer) };
}
