import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';

export const handler = sqsStepHandler('drizzle', async () => ({
  works: typeof drizzle.mock().select === 'function' && sql`select 1` !== undefined,
}));
