import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import type { ResultChannel } from '../../src/lambda/result-channel.ts';
import { type SqsStepHandler, STEP_HANDLER } from '../../src/lambda/sqs-step-handler.ts';
import type { OutgoingMessage } from '../../src/sqs/sqs-api.ts';
import { decodeStepResult, type StepResult } from '../../src/wire/step-result.ts';
import { contextOf } from './sqs-records.ts';

/** A results queue in memory. `accept` may wait, or throw to refuse a result. */
export class FakeChannel implements ResultChannel {
  /** Results that were accepted, as the engine would read them. */
  readonly accepted: StepResult[] = [];
  /** Their messages. */
  readonly messages: OutgoingMessage[] = [];
  /** `timeLeftMs` of each call. */
  readonly timesLeftMs: number[] = [];
  readonly #accept: (result: StepResult) => unknown;

  constructor(accept: (result: StepResult) => unknown = () => undefined) {
    this.#accept = accept;
  }

  async send(message: OutgoingMessage, timeLeftMs: number): Promise<void> {
    this.timesLeftMs.push(timeLeftMs);
    const result = decodeStepResult(message.body);
    await this.#accept(result);
    this.accepted.push(result);
    this.messages.push(message);
  }
}

/** One invocation of a handler with a results queue in memory. */
export function invoke(
  handler: SqsStepHandler,
  event: SQSEvent,
  channel: ResultChannel = new FakeChannel(),
  context: Context = contextOf(),
): Promise<SQSBatchResponse> {
  return handler[STEP_HANDLER].invoke(event, context, channel);
}

/** The results of one invocation in which every record is consumed. */
export async function resultsOf(handler: SqsStepHandler, event: SQSEvent, context: Context = contextOf()): Promise<readonly StepResult[]> {
  const channel = new FakeChannel();
  const { batchItemFailures } = await invoke(handler, event, channel, context);
  if (batchItemFailures.length > 0) throw new Error(`expected every record to be consumed, got ${JSON.stringify(batchItemFailures)}`);
  return channel.accepted;
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
