import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import { type RemoteTask, runStepHandler, type StepResult } from '@dudousxd/nestjs-durable-core';
import middy from '@middy/core';
import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { sqsStepHandler } from 'durable-sqs-lambda/worker';
// The seam that `runStep` uses too: an invocation whose results go somewhere else than to SQS. It is a registered
// symbol.
import { STEP_HANDLER } from '../../src/lambda/handler-marks.ts';
import { NO_RETRIES, type WorkerQueues } from '../../src/lambda/worker-queues.ts';
import { ECHO_STEP } from './echo-step.ts';

export type RecordHandler = (event: SQSEvent, context: Context) => Promise<unknown>;

/** Where results go: it resolves at once. Shared by all, so that what is measured is what happens before. */
export interface FakeSender {
  send(message: { readonly body: string }): Promise<void>;
}

/** The step: looks at its input and gives a small output. */
async function step(input: unknown): Promise<unknown> {
  return { chargeId: isOrder(input) ? `ch_${input.orderId}` : 'ch_none' };
}

function isOrder(input: unknown): input is { readonly orderId: string } {
  return typeof input === 'object' && input !== null && 'orderId' in input;
}

/**
 * What each peer does with a record: parse the task, run the step through the core package's runner, send the result.
 */
async function answer(record: SQSRecord, sender: FakeSender): Promise<void> {
  const task: RemoteTask = JSON.parse(record.body);
  const result = await runStepHandler(task, (input) => step(input));
  await sender.send({ body: JSON.stringify(result) });
}

/**
 * The same without the core package: no log events of the step, no `currentStep()`, no hooks. Nothing can be cheaper
 * and still answer.
 */
async function answerWithoutCore(record: SQSRecord, sender: FakeSender): Promise<void> {
  const { runId, seq, stepId, input }: RemoteTask = JSON.parse(record.body);
  const base = { runId, seq, stepId, startedAt: Date.now() };
  let result: StepResult;
  try {
    result = { ...base, status: 'completed', output: await step(input) };
  } catch (error) {
    result = { ...base, status: 'failed', error: { message: error instanceof Error ? error.message : String(error) } };
  }
  await sender.send({ body: JSON.stringify(result) });
}

function settledLoop(run: (record: SQSRecord) => Promise<void>): RecordHandler {
  return async ({ Records }): Promise<SQSBatchResponse> => {
    const settled = await Promise.allSettled(Records.map(run));
    const batchItemFailures = Records.flatMap(({ messageId }, index) =>
      settled[index]?.status === 'fulfilled' ? [] : [{ itemIdentifier: messageId }],
    );
    return { batchItemFailures };
  };
}

function onPowertools(sender: FakeSender): RecordHandler {
  const processor = new BatchProcessor(EventType.SQS);
  return (event, context) => processPartialResponse(event, (record: SQSRecord) => answer(record, sender), processor, { context });
}

function onMiddy(sender: FakeSender): RecordHandler {
  return middy<SQSEvent, unknown>(({ Records }: SQSEvent) => Promise.allSettled(Records.map((record) => answer(record, sender)))).use(
    sqsPartialBatchFailure(),
  );
}

/** Ours, with a sender of one's own. */
export function onOurs(sender: FakeSender): RecordHandler {
  const handler = sqsStepHandler(ECHO_STEP, step);
  const queues: WorkerQueues = {
    url: () => 'results',
    retries: () => NO_RETRIES,
    send: (_queueUrl, message) => sender.send(message),
  };
  return (event, context) => handler[STEP_HANDLER].invoke(event, context, queues);
}

/** Every way to work on a batch, in the order of the report. */
export function recordHandlers(sender: FakeSender): Readonly<Record<string, RecordHandler>> {
  return {
    ours: onOurs(sender),
    'hand-written': settledLoop((record) => answer(record, sender)),
    powertools: onPowertools(sender),
    middy: onMiddy(sender),
    bare: settledLoop((record) => answerWithoutCore(record, sender)),
  };
}
