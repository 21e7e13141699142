import { sqsStepHandler } from 'durable-sqs-lambda/worker';

export const place = sqsStepHandler('orders.place', async ({ orderId }: { orderId: string }) => ({ placed: orderId }));
