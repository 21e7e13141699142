/** A process that runs the steps and the turns, as Lambda would: a local event source mapping for each tasks queue. */
import { appendFileSync } from 'node:fs';
import { sqsStepHandler } from '../../src/lambda/index.ts';
import { createQueues, LocalEventSourceMapping } from '../../src/local/index.ts';
import { sqsWorkflowHandler } from '../../src/workflow/index.ts';
import { silentLogger } from '../support/local-cloud.ts';
import type { ProcessOptions } from './messages.ts';
import { clientConfigOf, optionsOfProcess, QUEUES } from './process-options.ts';
import { runStep, STEPS } from './steps.ts';
import { turns } from './workload.ts';

const options: ProcessOptions = optionsOfProcess();
const clientConfig = clientConfigOf(options);
const { resultsQueueUrl, tasksQueueUrls } = await createQueues({
  clientConfig,
  ...QUEUES,
  fifo: { tasks: false, results: options.fifoResults },
});

const workflow = sqsWorkflowHandler('turns', '1', turns, { clientConfig, resultsQueueUrl, logger: silentLogger });
const handler = sqsStepHandler(Object.fromEntries(STEPS.map((step) => [step, runStep])), {
  clientConfig,
  resultsQueueUrl,
  logger: silentLogger,
  async around({ task }, next) {
    // Written at once: the process may be killed in the next moment.
    const note = (what: string) =>
      appendFileSync(options.executions, `${Date.now()} ${options.name} ${what} ${task.stepId} ${task.attempt}\n`);
    note('begins');
    try {
      return await next();
    } finally {
      note('ends');
    }
  },
});
const mappings = [...tasksQueueUrls].map(
  ([functionName, queueUrl]) =>
    new LocalEventSourceMapping({
      clientConfig,
      queueUrl,
      handler: functionName === 'turns' ? workflow : handler,
      functionName,
      timeoutMs: 5_000,
      waitTimeSeconds: 2,
      logger: silentLogger,
    }),
);
for (const mapping of mappings) mapping.start();

process.on('disconnect', () => process.exit(0));
process.once('SIGTERM', () => void Promise.all(mappings.map((mapping) => mapping.stop())).then(() => process.exit(0)));
process.send?.({ ready: true });
