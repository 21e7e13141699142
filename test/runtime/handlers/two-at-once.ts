import { setTimeout as sleep } from 'node:timers/promises';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';

// As the runtime of nodejs22.x does; that of nodejs24.x, under which the tests run, leaves it to Node, which does the same.
process.on('unhandledRejection', () => process.exit(128));

/** Begins two things under the step's signal and awaits one after the other: when both are aborted, nobody hears of the second. */
export const handler = sqsStepHandler('two', async (ms: number, { signal }) => {
  const first = sleep(ms, 1, { signal });
  const second = sleep(ms, 2, { signal });
  return (await first) + (await second);
});
