import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import mysql from 'mysql2/promise';

export const handler = sqsStepHandler('mysql2', async () => ({
  works: mysql.createPool('mysql://u:p@127.0.0.1:1/d').pool.config.connectionLimit > 0,
}));
