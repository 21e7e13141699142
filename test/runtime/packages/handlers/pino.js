import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import { pino } from 'pino';

export const handler = sqsStepHandler('pino', async () => ({ works: pino().info('hello') === undefined }));
