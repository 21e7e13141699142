/**
 * Milliseconds of a clock that never jumps, from a moment of its own choice.
 *
 * Not `performance.now()`: its first use loads all of Node's `perf_hooks`, in the middle of a cold start's first invocation.
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
