import { setTimeout as sleep } from 'node:timers/promises';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';

/** Takes as long as it is told, and heeds no signal. */
export const handler = sqsStepHandler('sleep', async (ms: number) => {
  await sleep(ms);
  return ms;
});
