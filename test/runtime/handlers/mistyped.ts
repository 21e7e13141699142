import { sqsStepHandler } from 'durable-sqs-lambda/worker';

const options: object = { concurency: 3 };

/** Has an option that there is not. */
export const handler = sqsStepHandler('count', (n: number) => n + 1, options);
