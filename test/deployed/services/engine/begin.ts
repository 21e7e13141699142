import { startRun } from 'durable-sqs-lambda/client';

interface Order {
  readonly orderId: string;
  readonly parcels: number;
}

/** Asks for each run once; what comes of it, this function never hears. */
export const handler = ({ orders }: { orders: readonly Order[] }) =>
  Promise.all(orders.map((order) => startRun({ workflow: 'order', input: order, runId: order.orderId })));
