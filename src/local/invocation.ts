import type { Context, SQSEvent } from 'aws-lambda';
import type { SqsLambdaHandler } from './mapping-options.ts';

/** What came of calling a handler. */
export type Invocation =
  | { readonly kind: 'returned'; readonly response: unknown }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'timeout' };

/**
 * Calls a handler and waits until it has settled or its time is up. Never rejects. What a handler does after its time goes
 * unheard, as if it had been killed.
 */
export async function invoke(
  handler: SqsLambdaHandler,
  event: SQSEvent,
  context: Context,
  timeoutMs: number,
  now: () => number = Date.now,
): Promise<Invocation> {
  const deadline = now() + timeoutMs;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<Invocation>((resolve) => {
    timer = setTimeout(() => resolve({ kind: 'timeout' }), timeoutMs);
  });
  const invocation = await Promise.race([call(handler, event, context), timeout]);
  clearTimeout(timer);
  // A handler that blocks the event loop holds up its own timer; Lambda, which has another process watch, kills it all the same.
  return now() > deadline ? { kind: 'timeout' } : invocation;
}

async function call(handler: SqsLambdaHandler, event: SQSEvent, context: Context): Promise<Invocation> {
  try {
    return { kind: 'returned', response: await handler(event, context) };
  } catch (error) {
    return { kind: 'threw', error };
  }
}
