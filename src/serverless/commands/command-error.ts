import { DurableSqsError } from '../../errors.ts';
import { printable } from './output/text.ts';

/**
 * A mistake on the command line, or something outside that is not as the command needs it. The deploy tool prints its
 * message without a stack trace and exits 1; it recognizes such errors by this name only.
 */
export class CommandError extends Error {
  override readonly name = 'ServerlessError';
  readonly code = 'DURABLE_COMMAND';

  constructor(message: string, options?: ErrorOptions) {
    super(printable(message), options);
  }
}

/**
 * An error as the deploy tool should show it: ours, the SDK's and the network's by their message, a bug of ours with
 * its stack.
 * @param local whether the command was to talk to `sls durable local`
 */
export function shownError(error: unknown, local = false): unknown {
  if (local && error instanceof DurableSqsError && error.message.includes('ECONNREFUSED')) {
    return new CommandError(`${error.message}. "sls durable local" does not run: start it in another shell.`, { cause: error });
  }
  if (error instanceof DurableSqsError) return new CommandError(error.message, { cause: error });
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    const remedy = 'Another program uses the port: end it, or choose another with --port (0 takes a free one).';
    return new CommandError(`${error.message}. ${remedy}`, { cause: error });
  }
  return error;
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
