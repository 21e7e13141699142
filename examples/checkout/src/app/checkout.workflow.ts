import { Workflow } from '@dudousxd/nestjs-durable';
import { RemoteStepError, type StepDispatchOpts, type WorkflowCtx, type WorkflowHandler } from '@dudousxd/nestjs-durable-core';
import { chargeCard, type Order, postEntry, renderInvoice, type StepContract, scoreOrder } from '../steps.ts';

const MAX_RISK = 0.8;
const TAX_RATE = 0.19;

/** A step that fails for a reason that may pass is tried again: after 1, 2 and 4 seconds. */
const RETRIES: StepDispatchOpts = { retries: 4, backoff: 'exp', backoffMs: 1_000 };

export type CheckoutOutcome =
  | { readonly outcome: 'paid'; readonly chargeId: string; readonly invoice: { readonly number: string; readonly html: string } }
  | { readonly outcome: 'declined' }
  | { readonly outcome: 'too risky'; readonly score: number };

@Workflow({ name: 'checkout', version: '1' })
export class CheckoutWorkflow implements WorkflowHandler<Order, CheckoutOutcome> {
  async run(ctx: WorkflowCtx, order: Order): Promise<CheckoutOutcome> {
    const { orderId, country, cardCountry, cardToken, lines } = order;
    const totalCents = lines.reduce((sum, { quantity, unitCents }) => sum + quantity * unitCents, 0);

    const { score } = await call(ctx, scoreOrder, { orderId, amountCents: totalCents, country, cardCountry });
    if (score > MAX_RISK) return { outcome: 'too risky', score };

    let chargeId: string;
    try {
      ({ chargeId } = await call(ctx, chargeCard, { orderId, amountCents: totalCents, cardToken }));
    } catch (error) {
      // All else is the engine's way to suspend this run, or fails it.
      if (!(error instanceof RemoteStepError) || error.stepError?.code !== 'card_declined') throw error;
      return { outcome: 'declined' };
    }

    const taxCents = Math.round((totalCents * TAX_RATE) / (1 + TAX_RATE));
    // Both are under way at once; the FIFO queue lets them run one after the other.
    await Promise.all([
      call(ctx, postEntry, { orderId, account: 'revenue', amountCents: totalCents - taxCents }),
      call(ctx, postEntry, { orderId, account: 'tax', amountCents: taxCents }),
    ]);

    const invoice = await call(ctx, renderInvoice, { orderId, lines, totalCents, chargeId });
    return { outcome: 'paid', chargeId, invoice };
  }
}

/** Calls a step with the types of its contract. */
function call<Input, Output>(ctx: WorkflowCtx, step: StepContract<Input, Output>, input: Input): Promise<Output> {
  return ctx.step<Output, Input>(step.name, input, RETRIES);
}
