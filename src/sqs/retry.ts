import type { Timing } from '../time.ts';

/** Delays between tries, and the loop that uses them. */

export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * Exponential with jitter: half of the step at least, the whole of it at most, so that callers that failed together do not come
 * back together.
 * @param failures how many tries have failed, from 1
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(failures: number, { firstMs, maxMs }: BackoffLimits, random: () => number): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(ceiling / 2 + (ceiling / 2) * random());
}

export interface RetryOptions {
  readonly backoff: BackoffLimits;
  readonly timing: Timing;
  /** Whether this error is worth another try. */
  readonly isTransient: (error: unknown) => boolean;
  /** No try starts later than this after the first. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Calls until it works, fails for good, or its time is up; then throws the last error. */
export async function retry<T>(call: () => Promise<T>, { backoff, timing, isTransient, timeoutMs, signal }: RetryOptions): Promise<T> {
  const deadline = timing.now() + timeoutMs;
  for (let failures = 1; ; failures += 1) {
    try {
      return await call();
    } catch (error) {
      const delay = backoffMs(failures, backoff, timing.random);
      if (!isTransient(error) || signal?.aborted || timing.now() + delay > deadline) throw error;
      await timing.sleep(delay, signal);
      if (signal?.aborted) throw error;
    }
  }
}
