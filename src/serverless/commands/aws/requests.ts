/** Sends one request; a failure names the operation. */
export type Request = <T>(operation: string, send: () => Promise<T>) => Promise<T>;

/**
 * Sends at most `limit` requests at the same time: an account can have thousands of queues, and AWS throttles whoever asks about all of
 * them at once.
 * @param errorOf makes the error to throw of one that the SDK threw
 */
export function boundedRequests(limit: number, errorOf: (operation: string, error: unknown) => Error): Request {
  const inTurn = bounded(limit);
  return async (operation, send) => {
    try {
      return await inTurn(send);
    } catch (error) {
      throw errorOf(operation, error);
    }
  };
}

/** Runs at most `limit` calls at the same time; the others wait in the order in which they came. */
export function bounded(limit: number): <T>(call: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = limit;
  return async (call) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await call();
    } finally {
      // The place goes straight to the first that waits: a call that comes now must not overtake it.
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
