import { setTimeout as pause } from 'node:timers/promises';
import { IdempotencyAlreadyInProgressError, IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import type { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import type { LambdaStepContext } from 'durable-sqs-lambda/worker';

type Next = () => Promise<unknown>;

/** As long as SQS may deliver a task: the retention of a tasks queue. */
const FOUR_DAYS_SECONDS = 4 * 24 * 60 * 60;

/** An `around` by which one attempt of a step runs once, whichever worker its task is delivered to. */
export function oncePerAttempt(persistenceStore: DynamoDBPersistenceLayer, pollMs = 1_000) {
  const once = makeIdempotent(
    // A Lambda context as second argument is registered by Powertools: the in-progress mark expires when this invocation is killed.
    async (_key: { stepId: string; attempt: number }, _lambda: LambdaStepContext['lambda'], next: Next) => next(),
    { persistenceStore, config: new IdempotencyConfig({ expiresAfterSeconds: FOUR_DAYS_SECONDS }) },
  );

  return async (step: LambdaStepContext, next: Next): Promise<unknown> => {
    const { stepId, attempt } = step.task;
    for (;;) {
      try {
        return await once({ stepId, attempt }, step.lambda, next);
      } catch (error) {
        if (!(error instanceof IdempotencyAlreadyInProgressError)) throw error;
        // Another worker is at it. Its result is ours too; if it was killed, its mark expires and we run the step.
        await pause(pollMs, undefined, { signal: step.signal });
      }
    }
  };
}
