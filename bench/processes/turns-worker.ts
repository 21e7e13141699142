/** Steps and turns, in a process of their own: each handler behind a local event source mapping. */
import { LocalEventSourceMapping } from 'durable-sqs-lambda/local';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import { sqsWorkflowHandler } from 'durable-sqs-lambda/workflow';
import { ECHO_STEP, echoStep } from '../peers/echo-step.ts';
import { TWO_STEPS, twoSteps } from '../peers/two-steps.ts';
import { type Fields, textOf } from './fields.ts';
import { serveCommands } from './serve-commands.ts';
import { addressOf, clientConfigOf } from './sqs-server.ts';

function open(fields: Fields): Fields {
  const served = [
    { queueUrl: textOf(fields, 'stepsQueueUrl'), handler: sqsStepHandler(ECHO_STEP, echoStep(0)) },
    { queueUrl: textOf(fields, 'turnsQueueUrl'), handler: sqsWorkflowHandler(TWO_STEPS, '1', twoSteps) },
  ];
  for (const each of served) {
    const mapping = new LocalEventSourceMapping({
      ...each,
      clientConfig: clientConfigOf(addressOf(fields)),
      functionName: 'bench',
      timeoutMs: 30_000,
      batchSize: 10,
      maximumConcurrency: 5,
      // As Lambda's polls.
      waitTimeSeconds: 20,
    });
    mapping.start();
  }
  return {};
}

serveCommands({ open });
