/**
 * The worker, in a process of its own: the published transport's, or our handler behind a local event source mapping.
 */
import { SqsTransport as PublishedTransport } from '@dudousxd/nestjs-durable-transport-sqs';
import { LocalEventSourceMapping } from 'durable-sqs-lambda/local';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import { ECHO_STEP, echoStep } from '../peers/echo-step.ts';
import { type Fields, numberOf, textOf } from './fields.ts';
import { serveCommands } from './serve-commands.ts';
import { addressOf, clientConfigOf } from './sqs-server.ts';

const use = { invocations: 0, milliseconds: 0, records: 0 };

function open(fields: Fields): Fields {
  const clientConfig = clientConfigOf(addressOf(fields));
  const step = echoStep(numberOf(fields, 'workMs'));
  if (textOf(fields, 'variant') === 'published') {
    new PublishedTransport({ clientConfig, prefix: textOf(fields, 'prefix'), group: ECHO_STEP }).handle(ECHO_STEP, step);
    return {};
  }
  const mapping = new LocalEventSourceMapping({
    clientConfig,
    queueUrl: textOf(fields, 'tasksQueueUrl'),
    handler: sqsStepHandler(ECHO_STEP, step),
    functionName: 'bench',
    timeoutMs: 30_000,
    batchSize: 10,
    maximumConcurrency: 5,
    // As the published transport's polls, and as Lambda's.
    waitTimeSeconds: 20,
    onInvocation: ({ records, durationMs }) => {
      use.invocations += 1;
      use.milliseconds += durationMs;
      use.records += records;
    },
  });
  mapping.start();
  return {};
}

serveCommands({ open, use: () => ({ ...use }) });
