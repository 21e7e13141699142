import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import pg from 'pg';

export const handler = sqsStepHandler('pg', async () => ({
  works: new pg.Pool({ connectionString: 'postgres://u:p@127.0.0.1:1/d' }).totalCount === 0,
}));
