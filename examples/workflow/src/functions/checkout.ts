import { isWorkflowControlFlowSignal } from '@dudousxd/nestjs-durable-core';
import { sqsWorkflowHandler, type WorkflowContext } from 'durable-sqs-lambda/workflow';
import type { Order, Payment, Shipment } from '../orders.ts';

/** Runs that were started on it end on it: remove it when none is left. */
async function checkoutV1(ctx: WorkflowContext, order: Order): Promise<Shipment> {
  const payment = await ctx.step<Payment>('payments.charge-card', order);
  return ctx.step<Shipment>('orders.ship', { order, payment });
}

/** Charges, waits for the approval of large orders, ships; gives the money back where the shipping fails. */
async function checkoutV2(ctx: WorkflowContext, order: Order): Promise<Shipment> {
  const payment = await ctx.step<Payment>('payments.charge-card', order);
  try {
    if (order.amountCents >= 100_000) await ctx.waitForSignal(`approve:${order.orderId}`);
    return await ctx.step<Shipment>('orders.ship', { order, payment });
  } catch (error) {
    // By this ctx suspends the run: let it pass.
    if (isWorkflowControlFlowSignal(error)) throw error;
    await ctx.step('payments.refund', payment);
    throw error;
  }
}

export const handler = sqsWorkflowHandler({ checkout: { '1': checkoutV1, '2': checkoutV2 } });
