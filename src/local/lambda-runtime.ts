import type { Context, ScheduledEvent, SQSEvent } from 'aws-lambda';
import { errorFields } from '../logger.ts';
import { lambdaContext } from './lambda-context.ts';

/**
 * An async Lambda handler of SQS events. Lambda's nodejs24.x has no callbacks any more, so there is no third parameter.
 */
export type SqsLambdaHandler = (event: SQSEvent, context: Context) => unknown;

/** What a durable function is invoked with: records of a queue, or a tick of its schedule. */
export type FunctionEvent = SQSEvent | ScheduledEvent;

/** What runs the invocations of one function: this process, or processes of its own. */
export interface LambdaRuntime {
  /** Runs one invocation, to its end or its timeout. Never rejects. */
  invoke(event: SQSEvent, settings: InvocationSettings): Promise<HandlerOutcome>;
}

/** What an invocation's `Context` is made of. */
export interface InvocationSettings {
  readonly requestId: string;
  readonly functionName: string;
  /** Milliseconds. */
  readonly timeoutMs: number;
  readonly region: string | undefined;
}

/** How an invocation ended. */
export type HandlerOutcome =
  | { readonly kind: 'returned'; readonly response: unknown }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'timeout' }
  /** The process that ran it ended before the handler did; by `error`, where it was one. */
  | { readonly kind: 'exited'; readonly reason: string; readonly error?: unknown };

/**
 * Why an invocation gave no answer. Never what was thrown: its message may quote a payload.
 * @param timeoutMs the function's
 */
export function failureReason(outcome: Exclude<HandlerOutcome, { readonly kind: 'returned' }>, timeoutMs: number): string {
  switch (outcome.kind) {
    case 'threw':
      return `the handler threw ${errorFields(outcome.error).errorName}`;
    case 'timeout':
      return `the handler took longer than ${timeoutMs} ms`;
    case 'exited':
      return outcome.reason;
  }
}

/**
 * Runs a handler in this process. Its code cannot be killed: what a handler does after its timeout is ignored.
 * @param now milliseconds
 */
export function inProcessRuntime(handler: SqsLambdaHandler, now: () => number = Date.now): LambdaRuntime {
  return {
    async invoke(event, settings) {
      const { timeoutMs } = settings;
      const deadline = now() + timeoutMs;
      let timer: NodeJS.Timeout | undefined;
      const timeout = new Promise<HandlerOutcome>((resolve) => {
        timer = setTimeout(() => resolve({ kind: 'timeout' }), timeoutMs);
      });
      const outcome = await Promise.race([call(handler, event, lambdaContext(settings, now)), timeout]);
      clearTimeout(timer);
      // A handler that blocks the event loop also blocks the timer. On Lambda another process watches, and kills it.
      return now() > deadline ? { kind: 'timeout' } : outcome;
    },
  };
}

async function call(handler: SqsLambdaHandler, event: SQSEvent, context: Context): Promise<HandlerOutcome> {
  try {
    return { kind: 'returned', response: await handler(event, context) };
  } catch (error) {
    return { kind: 'threw', error };
  }
}
