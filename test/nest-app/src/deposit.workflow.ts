import { Workflow } from '@dudousxd/nestjs-durable';
import type { WorkflowCtx } from '@dudousxd/nestjs-durable-core';
import type { Order } from './checkout.workflow.ts';
// biome-ignore lint/style/useImportType: Nest injects by the class, which a type import would erase
import { PaymentsSteps } from './payments.steps.ts';

/** Longer than the test of this program waits for it: a deposit that waits so long for its result has not got it. */
const TIMEOUT_MS = 600_000;

/** One step with a `timeoutMs`: its turn waits for the result in memory. */
@Workflow({ name: 'deposit', version: '1' })
export class DepositWorkflow {
  constructor(private readonly payments: PaymentsSteps) {}

  async run(ctx: WorkflowCtx, order: Order) {
    const { chargeId } = await ctx.step(this.payments.chargeCard, order, { timeoutMs: TIMEOUT_MS });
    return { outcome: 'paid' as const, chargeId };
  }
}
