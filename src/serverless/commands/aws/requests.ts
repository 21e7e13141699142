import { bounded } from '../../bounded.ts';

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
