import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';

// As the runtime of nodejs22.x does; that of nodejs24.x, under which the tests run, leaves it to Node, which does the
// same.
process.on('unhandledRejection', () => process.exit(128));

/**
 * Begins three things under the step's signal. It awaits two of them one after the other, and when both are aborted
 * nobody hears of the second; the third is a process, which emits an `error` for which nobody listens.
 */
export const handler = sqsStepHandler('two', async (ms: number, { signal }) => {
  const first = sleep(ms, 1, { signal });
  const second = sleep(ms, 2, { signal });
  if (ms > 0) spawn(process.execPath, ['-e', `setTimeout(() => {}, ${ms})`], { signal });
  return (await first) + (await second);
});
