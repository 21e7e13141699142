import { RemoteStepError, type WorkflowCtx } from '@dudousxd/nestjs-durable-core';

/** One order of the demo, and how its run must end. */
export interface Order {
  readonly orderId: string;
  readonly amountCents: number;
  readonly cardToken: string;
  readonly items: readonly { readonly sku: string; readonly quantity: number }[];
}

export const STEPS = ['payments.charge-card', 'stock.reserve', 'notifications.send-receipt', 'notifications.send-decline-notice'] as const;

/** Every seventh card is declined. */
export function makeOrders(count: number): readonly Order[] {
  return Array.from({ length: count }, (_, index) => ({
    orderId: `order-${index}`,
    amountCents: 1_000 + index,
    cardToken: isDeclined(index) ? 'tok_declined' : 'tok_visa',
    items: [{ sku: `sku-${index % 9}`, quantity: 1 + (index % 3) }],
  }));
}

function isDeclined(index: number): boolean {
  return index % 7 === 3;
}

export function expectedStatus(order: Order): 'completed' | 'failed' {
  return order.cardToken === 'tok_declined' ? 'failed' : 'completed';
}

/**
 * Charge, reserve, receipt: each `ctx.step` runs on Lambda, and the engine checkpoints its output before the next one.
 */
export async function checkout(ctx: WorkflowCtx, order: Order) {
  const { orderId, amountCents, cardToken, items } = order;
  const charge = await chargeOrNotify(ctx, { orderId, amountCents, cardToken });
  const stock = await ctx.step<{ reservationId: string }>('stock.reserve', { orderId, items }, { retries: 5, backoffMs: 50 });
  const receipt = await ctx.step<{ messageId: string }>(
    'notifications.send-receipt',
    { orderId, chargeId: charge.chargeId },
    { retries: 3 },
  );
  return { chargeId: charge.chargeId, reservationId: stock.reservationId, messageId: receipt.messageId };
}

async function chargeOrNotify(ctx: WorkflowCtx, input: { orderId: string; amountCents: number; cardToken: string }) {
  try {
    return await ctx.step<{ chargeId: string }>('payments.charge-card', input, { retries: 3 });
  } catch (error) {
    if (error instanceof RemoteStepError && error.stepError?.code === 'card_declined') {
      await ctx.step('notifications.send-decline-notice', { orderId: input.orderId }, { retries: 3 });
    }
    throw error;
  }
}
