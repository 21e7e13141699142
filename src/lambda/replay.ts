import { ConfigurationError, StepFailedError } from '../errors.ts';
import type { PayloadStore } from '../payloads/payload-store.ts';
import { NO_RETRIES, type SqsQueues } from './worker-queues.ts';

/** `print`: results go to standard output, and no queue is touched. `send`: as always. */
export type Replay = 'print' | 'send';

/**
 * What `DURABLE_REPLAY` asks for: an invocation by hand, with an event from a file.
 * @throws ConfigurationError
 */
export function replayOf(env: NodeJS.ProcessEnv): Replay {
  const value = env['DURABLE_REPLAY'] || 'send';
  if (value === 'send' || value === 'print') return value;
  throw new ConfigurationError(`expected DURABLE_REPLAY to be "print" or "send", got ${JSON.stringify(value.slice(0, 80))}`);
}

/**
 * Whether somebody replays an event at a terminal: then a record without a result fails the invocation, since its exit
 * code is all that tells. Never on Lambda, where that would bring back the whole batch.
 */
export function isReplay(env: NodeJS.ProcessEnv): boolean {
  return isForTerminal(env, env['DURABLE_REPLAY']);
}

/**
 * Whether somebody at a terminal, a replay's or that of `sls durable local`, is to see what a step throws. Never on
 * Lambda, where it would be logged.
 */
export function showsThrown(env: NodeJS.ProcessEnv): boolean {
  return isForTerminal(env, env['DURABLE_REPLAY'] || env['DURABLE_LOCAL']);
}

function isForTerminal(env: NodeJS.ProcessEnv, asked: string | undefined): boolean {
  return Boolean(asked) && env['AWS_LAMBDA_RUNTIME_API'] === undefined;
}

const STANDARD_OUTPUT = 'standard output';

/**
 * Prints each result as one line of JSON and counts it as accepted. Only results are printed: a parked task is where it
 * was.
 */
export function printingQueues(write: (line: string) => unknown = (line) => process.stdout.write(line)): SqsQueues {
  return {
    url: async () => STANDARD_OUTPUT,
    retries: () => NO_RETRIES,
    urlOf: async (queueNames) => queueNames.join(' '),
    async send(queueUrl, { body }) {
      if (queueUrl === STANDARD_OUTPUT) write(`${body}\n`);
    },
  };
}

/** The store for reading only: what is printed is printed whole. */
export function storesNothing(store: PayloadStore): PayloadStore {
  return { thresholdBytes: Number.POSITIVE_INFINITY, put: (body, about) => store.put(body, about), get: (pointer) => store.get(pointer) };
}

/**
 * Prints what a step threw, with its stack: whoever tries a step looks for the line. Ours say all in their message,
 * which the result has.
 */
export function printThrown(thrown: unknown): void {
  // biome-ignore lint/suspicious/noConsole: for the eyes of whoever sits at the terminal; it may hold inputs, so no log gets it
  if (!(thrown instanceof StepFailedError)) console.error(thrown);
}
