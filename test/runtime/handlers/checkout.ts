import { sqsWorkflowHandler } from 'durable-sqs-lambda/workflow';

export const handler = sqsWorkflowHandler('checkout', '1', async (ctx, orderId: string) => ctx.step('payments.charge-card', { orderId }));
