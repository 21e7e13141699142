import { sqsStepHandler } from 'durable-sqs-lambda/worker';

/** Keeps the processor for as long as it is told: no timer of its process fires meanwhile. */
export const handler = sqsStepHandler('block', (ms: number) => {
  const until = Date.now() + ms;
  while (Date.now() < until);
  return ms;
});
