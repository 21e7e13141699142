import { sqsStepHandler } from 'durable-sqs-lambda/worker';

/** Adds one. */
export const handler = sqsStepHandler('count', (n: number) => n + 1, { logger: { debug() {}, info() {}, warn() {}, error() {} } });
