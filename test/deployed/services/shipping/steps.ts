import { sqsStepHandler } from 'durable-sqs-lambda/worker';

export const ship = sqsStepHandler('orders.ship', async ({ orderId }: { orderId: string }) => ({ shipped: orderId }));
