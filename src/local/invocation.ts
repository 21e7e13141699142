import type { Context, SQSEvent } from 'aws-lambda';
import type { SqsLambdaHandler } from './mapping-options.ts';

/** How a call of a handler ended. */
export type HandlerOutcome =
  | { readonly kind: 'returned'; readonly response: unknown }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'timeout' };

/** Calls a handler and waits until it settles or its time is up. Never rejects. What a handler does after its timeout is ignored. */
export async function invoke(
  handler: SqsLambdaHandler,
  event: SQSEvent,
  context: Context,
  timeoutMs: number,
  now: () => number = Date.now,
): Promise<HandlerOutcome> {
  const deadline = now() + timeoutMs;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<HandlerOutcome>((resolve) => {
    timer = setTimeout(() => resolve({ kind: 'timeout' }), timeoutMs);
  });
  const outcome = await Promise.race([call(handler, event, context), timeout]);
  clearTimeout(timer);
  // A handler that blocks the event loop also blocks the timer. On Lambda another process watches, and kills it.
  return now() > deadline ? { kind: 'timeout' } : outcome;
}

async function call(handler: SqsLambdaHandler, event: SQSEvent, context: Context): Promise<HandlerOutcome> {
  try {
    return { kind: 'returned', response: await handler(event, context) };
  } catch (error) {
    return { kind: 'threw', error };
  }
}
