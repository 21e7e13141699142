import { createHash } from 'node:crypto';
import { FatalError } from '@dudousxd/nestjs-durable-core';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import * as v from 'valibot';

const ChargeInput = v.object({
  orderId: v.string(),
  amountCents: v.pipe(v.number(), v.integer(), v.minValue(1)),
  cardToken: v.string(),
});

/**
 * Charges a card. SQS may deliver a task twice, so the payment provider gets an idempotency key: `stepId` is the same
 * for every delivery and every attempt of this step, so the card is charged once.
 */
export const handler = sqsStepHandler(
  'payments.charge-card',
  async ({ orderId, amountCents, cardToken }, step) => {
    step.info('charging', { orderId });
    return charge({ amountCents, cardToken, idempotencyKey: step.task.stepId });
  },
  { input: ChargeInput },
);

/** Stands in for a payment provider: the same key gives the same charge, a card is declined for good. */
async function charge({ amountCents, cardToken, idempotencyKey }: { amountCents: number; cardToken: string; idempotencyKey: string }) {
  // No retry makes a declined card pay: a FatalError ends the step at its first attempt.
  if (cardToken === 'tok_declined') throw new FatalError('the card was declined', 'card_declined');
  const chargeId = `ch_${createHash('sha256').update(idempotencyKey).digest('hex').slice(0, 16)}`;
  return { chargeId, amountCents };
}
