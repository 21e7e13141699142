import { FatalError } from '@dudousxd/nestjs-durable-core';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import { chargeCard } from '../steps.ts';
import { database } from './database.ts';

/** Charges a card, once: the step's id, which holds the run's, is the same for every delivery and every attempt. */
export const handler = sqsStepHandler(
  chargeCard.name,
  async ({ orderId, amountCents, cardToken }, step) => {
    // No retry makes a declined card pay.
    if (cardToken === 'tok_declined') throw new FatalError('the card was declined', 'card_declined');
    return requestCharge({ idempotencyKey: step.task.stepId, orderId, amountCents });
  },
  { input: chargeCard.input, output: chargeCard.output },
);

interface ChargeRequest {
  readonly idempotencyKey: string;
  readonly orderId: string;
  readonly amountCents: number;
}

/** Stands in for a payment provider: the same key gives the same charge. */
async function requestCharge({ idempotencyKey, orderId, amountCents }: ChargeRequest): Promise<{ chargeId: string }> {
  const { rows } = await database().query<{ charge_id: string }>(
    `insert into charges (idempotency_key, order_id, amount_cents) values ($1, $2, $3)
     on conflict (idempotency_key) do update set requests = charges.requests + 1
     returning charge_id`,
    [idempotencyKey, orderId, amountCents],
  );
  const [charge] = rows;
  if (charge === undefined) throw new Error('expected the row of the charge from PostgreSQL, got none');
  return { chargeId: charge.charge_id };
}
