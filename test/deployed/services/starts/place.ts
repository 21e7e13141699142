import { sqsStepHandler } from 'durable-sqs-lambda/worker';

export const handler = sqsStepHandler('orders.place', async ({ orderId }: { orderId: string }) => ({ placed: orderId }));
