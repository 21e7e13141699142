import { FatalError } from '@dudousxd/nestjs-durable-core';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import type { Order, Payment, Shipment } from '../orders.ts';

/** The id is the same for every attempt: the payment provider charges once for it. */
export const handler = sqsStepHandler({
  'payments.charge-card': async ({ amountCents }: Order, step): Promise<Payment> => ({ chargeId: `ch_${step.task.stepId}`, amountCents }),
  'payments.refund': async ({ chargeId }: Payment): Promise<{ refundId: string }> => ({ refundId: `re_${chargeId}` }),
  'orders.ship': async ({ order }: { order: Order }, step): Promise<Shipment> => {
    if (order.address === '') throw new FatalError(`order ${order.orderId} has no address`);
    return { trackingId: `tr_${step.task.stepId}` };
  },
});
