import { AsyncLocalStorage } from 'node:async_hooks';
import middy from '@middy/core';
import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure';
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { InvalidEventError } from '../errors.ts';
import { defaultLogger, errorFields, safeLogger } from '../logger.ts';
import { readableError } from '../step/readable-error.ts';
import { kindOf } from '../wire/json.ts';
import { Batch } from './batch.ts';
import { type ResultChannel, sqsResultChannel } from './result-channel.ts';
import { type RecordRunner, runRecords } from './run-records.ts';
import {
  type CheckedSteps,
  readArguments,
  type SingleStepHandlerOptions,
  type StepFunction,
  type StepHandlerOptions,
  type StepsByInput,
} from './step-handler-options.ts';

type Middy = middy.MiddyfiedHandler<SQSEvent, unknown>;

/**
 * What a middleware is given: middy's request. Written out here, because middy's own types import a package that few have
 * (`@aws/durable-execution-sdk-js`): in our `.d.ts` they would be an error to whoever checks libraries.
 */
export interface StepMiddlewareRequest {
  event: SQSEvent;
  context: Context;
  response: unknown;
  earlyResponse?: unknown;
  error: Error | null | undefined;
  internal: Record<string, unknown>;
}

/** A middy middleware. Methods, so that one written for more than we promise (its own `internal`, a wider event) still fits. */
export interface StepMiddleware {
  before?(request: StepMiddlewareRequest): unknown;
  after?(request: StepMiddlewareRequest): unknown;
  onError?(request: StepMiddlewareRequest): unknown;
  name?: string;
}

type Hook = (request: StepMiddlewareRequest) => unknown;

/** A Lambda handler for a tasks queue, and a middy: middlewares plug in with `use`. */
export interface SqsStepHandler {
  (event: SQSEvent, context: Context): Promise<SQSBatchResponse>;
  /** Adds middlewares. Whatever they do, no record is lost and none that is settled is run again. */
  use(middlewares: StepMiddleware | StepMiddleware[]): SqsStepHandler;
  before(middleware: Hook): SqsStepHandler;
  after(middleware: Hook): SqsStepHandler;
  onError(middleware: Hook): SqsStepHandler;
  /** For tests: which steps this handler serves, and an invocation whose results go somewhere else than to SQS. */
  readonly [STEP_HANDLER]: StepHandlerInternals;
}

export interface StepHandlerInternals {
  readonly stepNames: readonly string[];
  /** The message attribute without which a record is left alone. */
  readonly marker: string | undefined;
  invoke(event: SQSEvent, context: Context, channel: ResultChannel): Promise<SQSBatchResponse>;
}

/** Registered, not unique: `durable-sqs-lambda/local` may come from another copy of this package (ESM beside CommonJS). */
export const STEP_HANDLER: unique symbol = Symbol.for('durable-sqs-lambda.step-handler');

/**
 * A Lambda function as the worker of one step.
 *
 * ```ts
 * export const handler = sqsStepHandler('payments.charge-card', async (input: ChargeInput, step) => {
 *   return charge(input, { idempotencyKey: step.task.stepId, signal: step.signal });
 * });
 * ```
 *
 * The result is sent to the results queue before the record is consumed. A step that throws is a failed result (the engine decides on a
 * retry); only a record whose result could not be sent, or that is no task at all, is reported to SQS for another delivery.
 *
 * @throws ConfigurationError at module load, for an option or environment variable that is unknown or of the wrong type.
 */
export function sqsStepHandler<Input, Output = unknown>(
  name: string,
  fn: StepFunction<Input, NoInfer<Output>>,
  options?: SingleStepHandlerOptions<Input, Output>,
): SqsStepHandler;
/** One Lambda function as the worker of several steps: the mappings of all their queues invoke it. */
export function sqsStepHandler<Inputs extends Record<string, unknown>, Steps extends object>(
  steps: StepsByInput<Inputs> & Steps & CheckedSteps<Steps>,
  options?: StepHandlerOptions,
): SqsStepHandler;
export function sqsStepHandler(nameOrSteps: unknown, fnOrOptions?: unknown, singleOptions?: unknown): SqsStepHandler {
  const { steps, options } = readArguments(nameOrSteps, fnOrOptions, singleOptions, process.env);
  const logger = safeLogger(options.logger ?? defaultLogger());
  const { concurrency, marker, around } = options;
  const runner: Omit<RecordRunner, 'channel'> = { worker: { steps, around }, concurrency, marker, logger };
  return stepHandler(runner, sqsResultChannel(options));
}

/** One call of the Lambda function. */
interface Invocation {
  readonly batch: Batch;
  readonly channel: ResultChannel;
  /** What a middleware threw, if one did. */
  failure?: { readonly error: unknown };
}

function stepHandler(runner: Omit<RecordRunner, 'channel'>, toSqs: ResultChannel): SqsStepHandler {
  const { logger, worker, marker } = runner;
  // Which batch an invocation is: not by module state (some runtimes run invocations at once), and not by the event or context,
  // which a middleware may replace.
  const invocations = new AsyncLocalStorage<Invocation>();

  const chain: Middy = middy<SQSEvent, unknown>(
    async (event: SQSEvent, context: Context) => {
      const invocation = invocations.getStore();
      if (invocation === undefined) throw new InvalidEventError('the step handler was called outside of an invocation');
      const { batch, channel } = invocation;
      // Once more, for what the middlewares made of it.
      const records = recordsOf(event);
      await runRecords(records, context, batch, { ...runner, channel });
      return records.map((record) => ({ status: batch.isSettled(record) ? 'fulfilled' : 'rejected' }));
    },
    // Five milliseconds before the end is too late to send anything.
    { timeoutEarlyInMillis: 0 },
  )
    .use(sqsPartialBatchFailure({ logger: () => undefined }))
    // The partial-batch middleware turns an error into a response that reports every record: this keeps the error.
    .onError((request) => {
      const invocation = invocations.getStore();
      if (invocation !== undefined) invocation.failure = { error: request.error };
    });

  async function invoke(event: SQSEvent, context: Context, channel: ResultChannel): Promise<SQSBatchResponse> {
    const invocation: Invocation = { batch: new Batch(recordsOf(event)), channel };
    try {
      await invocations.run(invocation, () => chain(event, context));
    } catch (error) {
      invocation.failure = { error };
    }
    const { batch, failure } = invocation;
    if (failure !== undefined) {
      const counts = { records: batch.size, started: batch.started, requestId: context.awsRequestId };
      logger.error('a middleware failed', { ...errorFields(readableError(failure.error)), ...counts });
      // Nothing ran: the cause is common to all records. A failed invocation makes Lambda's pollers slow down, a list of failures does not.
      if (batch.started === 0) throw failure.error;
    }
    return batch.response();
  }

  const handler = (event: SQSEvent, context: Context) => invoke(event, context, toSqs);
  return withMiddy(handler, chain, { stepNames: [...worker.steps.keys()], marker, invoke });
}

function withMiddy(
  handler: (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>,
  chain: Middy,
  internals: StepHandlerInternals,
): SqsStepHandler {
  const stepHandler: SqsStepHandler = Object.assign(handler, {
    use(middlewares: StepMiddleware | StepMiddleware[]) {
      chain.use(middlewares);
      return stepHandler;
    },
    before(middleware: Hook) {
      chain.before(middleware);
      return stepHandler;
    },
    after(middleware: Hook) {
      chain.after(middleware);
      return stepHandler;
    },
    onError(middleware: Hook) {
      chain.onError(middleware);
      return stepHandler;
    },
    [STEP_HANDLER]: internals,
  });
  return stepHandler;
}

function recordsOf(event: unknown): SQSEvent['Records'] {
  const records: unknown = typeof event === 'object' && event !== null ? Reflect.get(event, 'Records') : undefined;
  if (!isRecordList(records)) {
    throw new InvalidEventError(
      `expected an SQS event with Records, got ${kindOf(records)}; is this function behind an event source mapping of a tasks queue?`,
    );
  }
  return records;
}

function isRecordList(value: unknown): value is SQSEvent['Records'] {
  return (
    Array.isArray(value) &&
    value.every((record: unknown) => typeof record === 'object' && record !== null && 'messageId' in record && 'body' in record)
  );
}
