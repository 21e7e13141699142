import { sqsStepHandler } from 'durable-sqs-lambda/worker';

export interface ReserveInput {
  readonly orderId: string;
  readonly items: readonly { readonly sku: string; readonly quantity: number }[];
}

/**
 * The warehouse could not be asked; the engine tries again, with the backoff and the number of `retries` the workflow
 * gave.
 */
class WarehouseBusyError extends Error {
  readonly code = 'warehouse_busy';
  readonly retryable = true;
}

/** Reserves every item of an order. The warehouse is busy now and then. */
export const handler = sqsStepHandler('stock.reserve', async ({ orderId, items }: ReserveInput, step) => {
  // One order in five meets a busy warehouse at its first attempt.
  if (step.task.attempt === 1 && Number.parseInt(orderId.slice(-1), 36) % 5 === 0) throw new WarehouseBusyError('the warehouse is busy');

  const reserved = [];
  for (const { sku, quantity } of items) {
    reserved.push(
      await step.subProcess(sku, async (item) => {
        item.phase('reserving');
        return { sku, quantity, shelf: `A${sku.length}` };
      }),
    );
  }
  return { reservationId: `rs_${step.task.stepId}`, reserved };
});
