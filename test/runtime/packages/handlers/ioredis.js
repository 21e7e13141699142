import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import { Redis } from 'ioredis';

export const handler = sqsStepHandler('ioredis', async () => ({ works: new Redis({ lazyConnect: true }).status === 'wait' }));
