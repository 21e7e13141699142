import { monotonicMs } from './monotonic-ms.ts';

const LOADED_AT = Math.round(Date.now() - monotonicMs());

/**
 * Whole milliseconds of a clock that nobody sets: near the epoch's, and to be compared with each other only. The clock on the wall is
 * corrected by an hour now and then, and what is waited for until a moment on it would come an hour too late, or at once.
 */
export function steadyNow(): number {
  return Math.floor(LOADED_AT + monotonicMs());
}
