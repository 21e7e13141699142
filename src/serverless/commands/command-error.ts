import { DurableSqsError } from '../../errors.ts';

/**
 * A mistake of whoever typed the command, or a state of the world: the deploy tool prints its message without a stack trace, and exits 1.
 * The tool knows such errors by this name only.
 */
export class CommandError extends Error {
  override readonly name = 'ServerlessError';
  readonly code = 'DURABLE_COMMAND';
}

/**
 * An error as the deploy tool should show it: ours, the SDK's and the network's by their message, a bug of ours with its stack.
 * `local` says whether the command was to look at `sls durable local`.
 */
export function shownError(error: unknown, local = false): unknown {
  if (local && error instanceof DurableSqsError && error.message.includes('ECONNREFUSED')) {
    return new CommandError(`${error.message}. "sls durable local" does not run: start it in another shell.`, { cause: error });
  }
  if (error instanceof DurableSqsError) return new CommandError(error.message, { cause: error });
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return new CommandError(`${error.message}. Another program has the port: end it, or give another with --port (0 takes a free one).`, {
      cause: error,
    });
  }
  return error;
}
