import { type LambdaStepContext, sqsStepHandler } from 'durable-sqs-lambda/worker';

export const handler = sqsStepHandler({
  /** Fails at its first attempt, so that the engine has to wait and try again. */
  'orders.charge': async ({ orderId }: { orderId: string }, step: LambdaStepContext) => {
    if (step.task.attempt === 1) throw new Error('the bank is busy');
    return { charged: orderId };
  },
  'orders.pack': async ({ parcel }: { parcel: string }) => ({ packed: parcel }),
});
