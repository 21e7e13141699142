import { type InvocationEnd, type LambdaOptions, startLambda } from './runtime-api.ts';
import type { StubSqs } from './stub-sqs.ts';

/** Milliseconds from the spawn of a process to … */
export interface ColdStart {
  /** … the function's module being loaded, */
  readonly initialisedMs: number;
  /** … its first result being at SQS, */
  readonly acceptedMs: number;
  /** … its first response. */
  readonly respondedMs: number;
}

/**
 * One cold start of a function that sends a result, under AWS's own runtime loop.
 * @throws Error where no result was accepted, or not every record was consumed
 */
export async function coldStart(options: LambdaOptions, event: unknown, sqs: StubSqs): Promise<ColdStart> {
  const before = sqs.requests.length;
  const lambda = await startLambda(options);
  try {
    const end = await lambda.invoke(event);
    const sent = sqs.requests.slice(before).find(({ operation }) => operation.startsWith('SendMessage'));
    const { initialised, responded } = lambda.times;
    if (!consumedAll(end) || sent === undefined || initialised === undefined || responded === undefined) {
      throw new Error(`expected a result to be accepted, got ${JSON.stringify(end)}\n${lambda.output()}`);
    }
    return { initialisedMs: initialised, acceptedMs: sent.at - lambda.spawnedAt, respondedMs: responded };
  } finally {
    await lambda.stop();
  }
}

function consumedAll(end: InvocationEnd): boolean {
  return end.kind === 'response' && JSON.stringify(end.payload) === '{"batchItemFailures":[]}';
}
