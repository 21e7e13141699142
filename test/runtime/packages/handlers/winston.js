import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import winston from 'winston';

export const handler = sqsStepHandler('winston', async () => ({
  works: winston.createLogger({ transports: [new winston.transports.Console()] }).info('hello') !== undefined,
}));
