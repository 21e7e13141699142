import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { STEP_HANDLER } from '../../src/lambda/handler-marks.ts';
import type { SqsStepHandler } from '../../src/lambda/sqs-step-handler.ts';
import { NO_RETRIES, type WorkerQueues } from '../../src/lambda/worker-queues.ts';
import type { RetryOptions } from '../../src/sqs/retry.ts';
import type { OutgoingMessage } from '../../src/sqs/sqs-api.ts';
import { decodeStepResult, type StepResult } from '../../src/wire/step-result.ts';
import { contextOf } from './sqs-records.ts';

/** A results queue in memory. `accept` may wait, or throw to refuse a result, which is not sent again then. */
export class FakeQueues implements WorkerQueues {
  /** Results that were accepted, as the engine would read them. */
  readonly accepted: StepResult[] = [];
  /** Their messages. */
  readonly messages: OutgoingMessage[] = [];
  /** Time that was left when each result was about to be sent. */
  readonly timesLeftMs: number[] = [];
  readonly #accept: (result: StepResult) => unknown;

  constructor(accept: (result: StepResult) => unknown = () => undefined) {
    this.#accept = accept;
  }

  async url(): Promise<string> {
    return 'https://sqs.us-east-1.amazonaws.com/123456789012/durable-results';
  }

  async send(_queueUrl: string, message: OutgoingMessage): Promise<void> {
    const result = decodeStepResult(message.body);
    await this.#accept(result);
    this.accepted.push(result);
    this.messages.push(message);
  }

  retries(timeLeftMs: number): RetryOptions {
    this.timesLeftMs.push(timeLeftMs);
    return NO_RETRIES;
  }
}

/** One invocation of a handler with a results queue in memory. */
export function invoke(
  handler: SqsStepHandler,
  event: SQSEvent,
  queues: WorkerQueues = new FakeQueues(),
  context: Context = contextOf(),
): Promise<SQSBatchResponse> {
  return handler[STEP_HANDLER].invoke(event, context, queues);
}

/** The results of one invocation in which every record is consumed. */
export async function resultsOf(handler: SqsStepHandler, event: SQSEvent, context: Context = contextOf()): Promise<readonly StepResult[]> {
  const queues = new FakeQueues();
  const { batchItemFailures } = await invoke(handler, event, queues, context);
  if (batchItemFailures.length > 0) throw new Error(`expected every record to be consumed, got ${JSON.stringify(batchItemFailures)}`);
  return queues.accepted;
}

/** The result of an invocation with one record. */
export async function resultOf(handler: SqsStepHandler, event: SQSEvent, context?: Context): Promise<StepResult> {
  const [result, ...others] = await resultsOf(handler, event, context);
  if (result === undefined || others.length > 0) throw new Error('expected one result');
  return result;
}

/** Ids of the records to be delivered again. */
export function failedIds({ batchItemFailures }: SQSBatchResponse): string[] {
  return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
}
