/** A time limit that can be called off. */
export interface RunningLimit {
  clear(): void;
}

/** A timer that fires later than this after its time did so because the process stood still. */
const STOOD_STILL_MS = 500;

/**
 * Calls `over` after `ms` in which the process was running.
 *
 * A process that was frozen, or busy, wakes with its timers overdue before it has read what arrived in the meantime: such a timer says
 * nothing of the other side, which is given the time once more.
 */
export function runningLimit(ms: number, over: () => void): RunningLimit {
  let timer: NodeJS.Timeout;
  const start = () => {
    const due = Date.now() + ms;
    timer = setTimeout(() => (Date.now() - due > STOOD_STILL_MS ? start() : over()), ms);
  };
  start();
  return { clear: () => clearTimeout(timer) };
}
