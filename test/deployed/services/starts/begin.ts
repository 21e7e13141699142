import { startRun } from 'durable-sqs-lambda/client';

interface Begin {
  readonly orders: readonly { readonly orderId: string }[];
}

/** As the function of an API: starts a run for each order, twice, as a caller does that tries again. */
export const handler = async ({ orders }: Begin) =>
  Promise.all(
    [...orders, ...orders].map((input) =>
      startRun({ workflow: 'one-step', runId: `order-${input.orderId}`, input: { step: 'orders.place', input } }),
    ),
  );
