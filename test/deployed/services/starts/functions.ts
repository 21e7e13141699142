import { startRun } from 'durable-sqs-lambda/client';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';

interface Order {
  readonly orderId: string;
}

/** As the function of an API: starts a run for each order, twice, as a caller does that tries again. */
export const begin = async ({ orders }: { orders: readonly Order[] }) =>
  Promise.all(
    [...orders, ...orders].map((input) =>
      startRun({ workflow: 'one-step', runId: `order-${input.orderId}`, input: { step: 'orders.place', input } }),
    ),
  );

export const place = sqsStepHandler('orders.place', async ({ orderId }: Order) => ({ placed: orderId }));
