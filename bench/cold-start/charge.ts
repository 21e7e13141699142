import { createHash } from 'node:crypto';
import { FatalError } from '@dudousxd/nestjs-durable-core';
import * as v from 'valibot';

/** The step of `handlers/charge-card.ts`, for the handlers that do not use this package. */
export const STEP = 'payments.charge-card';

const ChargeInput = v.object({
  orderId: v.string(),
  amountCents: v.pipe(v.number(), v.integer(), v.minValue(1)),
  cardToken: v.string(),
});

export async function chargeCard(input: unknown, idempotencyKey: string) {
  const { amountCents, cardToken } = v.parse(ChargeInput, input);
  if (cardToken === 'tok_declined') throw new FatalError('the card was declined', 'card_declined');
  const chargeId = `ch_${createHash('sha256').update(idempotencyKey).digest('hex').slice(0, 16)}`;
  return { chargeId, amountCents };
}
