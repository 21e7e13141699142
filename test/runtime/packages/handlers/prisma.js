import { PrismaClient } from '@prisma/client';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';

// As everybody does: one client for the process. It was not generated, and so the module does not load.
const client = new PrismaClient();

export const handler = sqsStepHandler('prisma', async () => ({ works: typeof client.$connect === 'function' }));
