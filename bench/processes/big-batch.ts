/** One invocation with thousands of records, in a process with a function's memory; results go to a real SQS server. */
import { lambdaContext } from 'durable-sqs-lambda/local';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';
import { ECHO_STEP, echoStep } from '../peers/echo-step.ts';
import { taskEvent } from '../peers/sqs-event.ts';
import { type Fields, numberOf } from './fields.ts';
import { serveCommands } from './serve-commands.ts';

const handler = sqsStepHandler(ECHO_STEP, echoStep(0));

async function run(fields: Fields): Promise<Fields> {
  // As the runtime has it: one text, parsed.
  const text = JSON.stringify(taskEvent(numberOf(fields, 'records')));
  const event = JSON.parse(text);
  const startedAt = performance.now();
  const { batchItemFailures } = await handler(event, lambdaContext({ functionName: 'bench', timeoutMs: 900_000 }));
  return {
    milliseconds: performance.now() - startedAt,
    failed: batchItemFailures.length,
    eventBytes: Buffer.byteLength(text),
    // Of the process since its start, code and buffers included; in KiB.
    peakMb: process.resourceUsage().maxRSS / 1024,
  };
}

serveCommands({ run });
