/**
 * Runs at most so many calls at the same time; others wait their turn, in order. An account's queues are many, and AWS throttles whoever
 * asks for all of them at once.
 */
export function bounded(limit: number): <T>(call: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = limit;
  return async (call) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await call();
    } finally {
      // Handed on, not given back: nobody who comes now may overtake who waits.
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
