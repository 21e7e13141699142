import { sqsDeadLetterHandler } from 'durable-sqs-lambda/worker';

/** Behind every dead-letter queue of the service: parks what was delivered too often, and tells the engine. */
export const handler = sqsDeadLetterHandler();
