import { bounded } from '../../bounded.ts';

/**
 * What AWS says of a request that it refused: its text names the action and the resource that a policy lacks. Only the
 * code where a signature is wrong: that text quotes the request, session token included. No part of the SDK's error is
 * kept beside it.
 */
export function refusalOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isQuoting = /signature/i.test(error.name) || /canonical string|string-to-sign/i.test(error.message);
  return [error.name, isQuoting ? '' : error.message].filter((text) => text !== '').join(': ');
}

/** Sends one request; a failure names the operation. */
export type Request = <T>(operation: string, send: () => Promise<T>) => Promise<T>;

/**
 * Sends at most `limit` requests at the same time: an account can have thousands of queues, and AWS throttles whoever
 * asks about all of them at once.
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
