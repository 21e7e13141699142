import { sqsDeadLetterHandler } from 'durable-sqs-lambda/worker';

/** Behind every dead-letter queue: parks what was received too often, and tells the engine. */
export const handler = sqsDeadLetterHandler();
