import { CHANNEL_RULES, type ChannelOptions, channelOptions } from '../lambda/step-handler-options.ts';
import { aFunction, anInteger, checkOptions, type OptionRule } from '../options.ts';
import type { RemoteTask } from '../wire/remote-task.ts';

/** Options of `sqsEngineHandler`. Each may be left out. */
export interface EngineHandlerOptions extends Omit<ChannelOptions, 'concurrency' | 'resultsQueueUrl'> {
  /**
   * How long before the end of an invocation work stops: what is not finished then goes back to its queue. At most half
   * of the time that the invocation has.
   * @default 1,000, a tenth of the time at most
   */
  readonly deadlineReserveMs?: number;
  /**
   * How long `dispatch` retries failures that pass before it rejects, which fails the run.
   * @default 120_000, which few functions have
   */
  readonly dispatchTimeoutMs?: number;
  /**
   * How long after its checkpoint a step without a result is sent again, for an engine whose module has no such option.
   * It must exceed the slowest step with its time in the queue. @default what the engine was made with
   */
  readonly remoteRedispatchMs?: number;
  /** SQS message group of a task on a standard queue: the tenant of fair queues. @default none */
  readonly messageGroupId?: (task: RemoteTask) => string | undefined;
  /** Told of every failure that is survived: results that the engine rejected, wake-ups that could not be sent. */
  readonly onError?: (error: unknown) => void;
}

export const WHERE = 'sqsEngineHandler';
const { concurrency: _, resultsQueueUrl: __, ...SHARED_RULES } = CHANNEL_RULES;
const RULES: Readonly<Record<string, OptionRule>> = {
  ...SHARED_RULES,
  deadlineReserveMs: anInteger(1),
  dispatchTimeoutMs: anInteger(0),
  remoteRedispatchMs: anInteger(1),
  messageGroupId: aFunction,
  onError: aFunction,
};
const DISPATCH_TIMEOUT_MS = 120_000;
const RESERVE = { ms: 1_000, share: 0.1, mostShare: 0.5 };

/** Checked options with their defaults. `prefix` has the namespace folded in. */
export function readEngineOptions(options: EngineHandlerOptions, env: NodeJS.ProcessEnv) {
  checkOptions(WHERE, options, RULES);
  const { prefix } = channelOptions(WHERE, options, env);
  return { ...options, prefix, dispatchTimeoutMs: options.dispatchTimeoutMs ?? DISPATCH_TIMEOUT_MS };
}

export type ReadEngineOptions = ReturnType<typeof readEngineOptions>;

/** How long before its end an invocation stops working. */
export function reserveMs(availableMs: number, given: number | undefined): number {
  if (given !== undefined) return Math.min(given, availableMs * RESERVE.mostShare);
  return Math.min(RESERVE.ms, availableMs * RESERVE.share);
}
