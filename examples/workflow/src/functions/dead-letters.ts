import { sqsDeadLetterHandler } from 'durable-sqs-lambda/worker';

export const handler = sqsDeadLetterHandler();
