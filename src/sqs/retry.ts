import type { Timing } from '../time.ts';

/**
 * All retries of this package: who tries what again, for how long. Each layer retries what outlasts the one below it.
 *
 * | layer | tries again | for |
 * | --- | --- | --- |
 * | `signedOperations` | one request: at once on another connection, with a corrected clock or with more time, else
 * after a pause | 1.5 s |
 * | `sdkOperations` | one request, as the client is configured: by default three tries | 1 s |
 * | `Sender` | each message alone, once, of a batch that SQS refused as a whole | |
 * | `InFlightMessages` | a delete or a visibility change | 30 s |
 * | `Poller` | a receive or the look-up of its queue | ever |
 * | `sendAnswer` on Lambda | a result's storing, look-up and send | 5 s, half of the time that is left at most |
 * | `sendAnswer` in a container | the same | until the worker closes |
 * | `Dispatcher` | a task's look-up and send | `dispatchTimeoutMs` |
 * | `StartSender` | a start's storing, look-up and send | `dispatchTimeoutMs` |
 * | `startRun` | the look-up and send of a start | 5 s |
 * | `WakeUps` | a wake-up of a run; after that the tick wakes it | 3 s |
 * | `WorkflowTurns` | telling the engine that a turn failed | `dispatchTimeoutMs` |
 * | `installLastingCancel` | looking whether a run stays cancelled | 60 s |
 *
 * What becomes of a message that is not settled is not a matter of retries: SQS delivers it again.
 */

export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** How a layer retries. */
export interface RetryPolicy {
  readonly backoff: BackoffLimits;
  /** No try starts later than this after the first. @default no limit */
  readonly timeoutMs?: number;
}

export const REQUEST_RETRIES = { backoff: { firstMs: 50, maxMs: 400 }, timeoutMs: 1_500 } satisfies RetryPolicy;
export const SETTLE_RETRIES = { backoff: { firstMs: 100, maxMs: 5_000 }, timeoutMs: 30_000 } satisfies RetryPolicy;
export const RECEIVE_BACKOFF: BackoffLimits = { firstMs: 100, maxMs: 10_000 };
/** A request has been retried for a second or two before an error gets to a worker; this bridges what outlasts that. */
export const LAMBDA_RESULT_RETRIES = { backoff: { firstMs: 50, maxMs: 1_000 }, timeoutMs: 5_000 } satisfies RetryPolicy;
export const CONTAINER_RESULT_RETRIES = { backoff: { firstMs: 100, maxMs: 10_000 } } satisfies RetryPolicy;
export const WAKE_UP_RETRIES = { backoff: { firstMs: 100, maxMs: 1_000 }, timeoutMs: 3_000 } satisfies RetryPolicy;
export const DISPATCH_BACKOFF: BackoffLimits = { firstMs: 100, maxMs: 5_000 };

/**
 * Exponential with jitter: half of the step at least, the whole of it at most, so that callers that failed together do
 * not come back together.
 * @param failures how many tries have failed, from 1
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(failures: number, { firstMs, maxMs }: BackoffLimits, random: () => number): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(ceiling / 2 + (ceiling / 2) * random());
}

export interface RetryOptions extends RetryPolicy {
  readonly timing: Timing;
  /** Whether this error is worth another try. */
  readonly isTransient: (error: unknown) => boolean;
  /** Whether the next try starts at once, whatever the time: the cause of this error is gone. @default never */
  readonly isMended?: (error: unknown) => boolean;
  readonly signal?: AbortSignal;
}

/** Calls until it works, fails for good, or its time is up; then throws the last error. */
export async function retry<T>(call: () => Promise<T>, options: RetryOptions): Promise<T> {
  const nextTry = tries(options);
  for (;;) {
    try {
      return await call();
    } catch (error) {
      await nextTry(error);
    }
  }
}

/**
 * For a loop of one's own, where a promise for each call would cost too much. The first try begins now.
 * @returns a function that is told why a try failed, and resolves when the next may start; it throws the error where
 * there is none. `onTransient` is called where the error is worth another try, be there time for one or not.
 */
export function tries(options: RetryOptions): (error: unknown, onTransient?: () => void) => Promise<void> {
  const { backoff, timing, isTransient, isMended, timeoutMs = Number.POSITIVE_INFINITY, signal } = options;
  const deadline = timing.now() + timeoutMs;
  let failures = 0;
  return async (error, onTransient) => {
    if (signal?.aborted) throw error;
    if (isMended?.(error)) return;
    if (!isTransient(error)) throw error;
    onTransient?.();
    failures += 1;
    const delay = backoffMs(failures, backoff, timing.random);
    if (timing.now() + delay > deadline) throw error;
    await timing.sleep(delay, signal);
    if (signal?.aborted) throw error;
  };
}
