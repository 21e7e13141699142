import type { StepRef, WorkflowClass, WorkflowCtx } from '@dudousxd/nestjs-durable-core';
import { expectTypeOf } from 'vitest';
import { type SqsWorkflowHandler, sqsWorkflowHandler, type WorkflowContext } from '../../src/workflow/index.ts';

// Compiled by `tsc`, never run.

interface Order {
  readonly orderId: string;
  readonly amountCents: number;
}
interface Receipt {
  readonly chargeId: string;
}

declare const chargeCard: StepRef<Order, Receipt>;
declare class Shipping {
  run(ctx: WorkflowCtx, order: Order): Promise<{ readonly trackingId: string }>;
}
expectTypeOf<typeof Shipping>().toExtend<WorkflowClass<Order, { readonly trackingId: string }>>();

// --- ctx

expectTypeOf(
  sqsWorkflowHandler('checkout', '1', async (ctx, order: Order) => {
    expectTypeOf(ctx).toEqualTypeOf<WorkflowContext>();
    expectTypeOf(order).toEqualTypeOf<Order>();

    // A step by its reference: input and output are the reference's.
    expectTypeOf(ctx.step(chargeCard, order)).toEqualTypeOf<Promise<Receipt>>();
    // @ts-expect-error a charge needs an order
    await ctx.step(chargeCard, { orderId: 'o' });

    // A step by its name: its output is what the caller says.
    expectTypeOf(ctx.step<Receipt>('payments.charge-card', order)).toEqualTypeOf<Promise<Receipt>>();
    expectTypeOf(ctx.step('payments.charge-card', order)).toEqualTypeOf<Promise<unknown>>();

    expectTypeOf(ctx.child(Shipping, order)).toEqualTypeOf<Promise<{ readonly trackingId: string }>>();
    // @ts-expect-error shipping needs an order
    await ctx.child(Shipping, 'o-1');
    expectTypeOf(ctx.child<number>('shipping', order)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(ctx.all(Shipping, [order])).toEqualTypeOf<Promise<{ readonly trackingId: string }[]>>();

    expectTypeOf(ctx.waitForSignal<boolean>('approved')).toEqualTypeOf<Promise<boolean>>();
    expectTypeOf(ctx.sideEffect(() => 1)).toEqualTypeOf<Promise<number>>();
    expectTypeOf(ctx.localStep('total', async (log) => log.info('adding'))).toEqualTypeOf<Promise<void>>();
    expectTypeOf(ctx.now()).toEqualTypeOf<Promise<number>>();
    expectTypeOf(ctx.runId).toEqualTypeOf<string>();
    // @ts-expect-error the wire does not carry it
    await ctx.step('payments.charge-card', order, { compensate: 'payments.refund' });
  }),
).toEqualTypeOf<SqsWorkflowHandler>();

// --- a workflow that is written for the engine runs as it is

const checkout = async (ctx: WorkflowCtx, order: Order): Promise<Receipt> => ctx.step(chargeCard, order);
sqsWorkflowHandler('checkout', '1', checkout);
sqsWorkflowHandler({ checkout: { '1': checkout, '2': async (ctx: WorkflowCtx, order: Order) => ctx.child(Shipping, order) } });

// --- several workflows, and versions of one, each with its own input

sqsWorkflowHandler({ checkout: { 1: checkout }, refund: { 1: async (_ctx, receipt: Receipt) => receipt.chargeId } });
// @ts-expect-error a version is missing
sqsWorkflowHandler('checkout', checkout);
// @ts-expect-error no such option
sqsWorkflowHandler('checkout', '1', checkout, { retries: 3 });
