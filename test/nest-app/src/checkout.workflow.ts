import { Workflow } from '@dudousxd/nestjs-durable';
import { RemoteStepError, type WorkflowCtx } from '@dudousxd/nestjs-durable-core';
// biome-ignore lint/style/useImportType: Nest injects by the class, which a type import would erase
import { PaymentsSteps } from './payments.steps.ts';

export interface Order {
  readonly orderId: string;
  readonly amountCents: number;
  readonly cardToken: string;
}

@Workflow({ name: 'checkout', version: '1' })
export class CheckoutWorkflow {
  constructor(private readonly payments: PaymentsSteps) {}

  async run(ctx: WorkflowCtx, order: Order) {
    const { orderId } = order;
    try {
      // By reference: name and types come from the method.
      const { chargeId } = await ctx.step(this.payments.chargeCard, order);
      // By name: there is no such method in this app. A busy warehouse is asked again.
      const items = [{ sku: 'mug', quantity: 1 }];
      await ctx.step('stock.reserve', { orderId, items }, { retries: 3, backoffMs: 10 });
      await ctx.step('notifications.send-receipt', { orderId, chargeId });
      return { outcome: 'paid' as const, chargeId };
    } catch (error) {
      // All else is the engine's way to suspend this run, and a code that nobody foresaw should fail it.
      if (!(error instanceof RemoteStepError) || error.stepError?.code !== 'card_declined') throw error;
      await ctx.step('notifications.send-decline-notice', { orderId });
      return { outcome: 'declined' as const };
    }
  }
}
