import { AsyncLocalStorage } from 'node:async_hooks';
import middy from '@middy/core';
import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { InvalidEventError, ReplayFailedError } from '../errors.ts';
import { errorFields, type Logger } from '../logger.ts';
import { readableError } from '../step/readable-error.ts';
import { kindOf } from '../wire/json.ts';
import { Batch } from './batch.ts';
import { Deadline } from './deadline.ts';
import { outliveStrayErrors } from './stray-errors.ts';
import type { WorkerQueues } from './worker-queues.ts';

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

/** A Lambda handler of SQS events, and a middy: middlewares plug in with `use`. */
export interface SqsBatchHandler {
  (event: SQSEvent, context: Context): Promise<SQSBatchResponse>;
  /** Adds middlewares. Whatever they do, no record is lost and none that is settled is run again. */
  use(middlewares: StepMiddleware | StepMiddleware[]): this;
  before(middleware: Hook): this;
  after(middleware: Hook): this;
  onError(middleware: Hook): this;
}

/** One call of the Lambda function. */
export interface Invocation {
  readonly lambda: Context;
  readonly batch: Batch;
  readonly deadline: Deadline;
}

/** What is done with the records of an invocation. */
export interface BatchProgram<Queues extends WorkerQueues> {
  readonly logger: Logger;
  /** Whether the invocation fails where any record does, instead of reporting it. */
  readonly rejectsFailures: boolean;
  /** How long before its end an invocation of so many records stops working. */
  reserveMs(availableMs: number, records: number): number;
  run(records: readonly SQSRecord[], invocation: Invocation, queues: Queues): Promise<void>;
}

/** Of one record, as the partial-batch middleware reads it. */
const FULFILLED = Object.freeze({ status: 'fulfilled' });
const REJECTED = Object.freeze({ status: 'rejected' });

type Middy = middy.MiddyfiedHandler<SQSEvent, unknown>;

/** What middy must not tell and the response needs: which invocation this is, and what it failed with. */
interface Running<Queues> extends Invocation {
  readonly queues: Queues;
  failure?: { readonly error: unknown };
}

/** A program as a Lambda handler, and one call of it over other queues. */
export function batchHandler<Queues extends WorkerQueues>(program: BatchProgram<Queues>, queues: Queues) {
  const { logger } = program;
  // Which invocation it is: not by module state (some runtimes run invocations at once), and not by the event or context,
  // which a middleware may replace.
  const invocations = new AsyncLocalStorage<Running<Queues>>();

  const chain: Middy = middy<SQSEvent, unknown>(
    async (event: SQSEvent, lambda: Context) => {
      const running = invocations.getStore();
      if (running === undefined) throw new InvalidEventError('the handler was called outside of an invocation');
      // Once more, for what the middlewares made of it.
      const records = recordsOf(event);
      await program.run(records, { ...running, lambda }, running.queues);
      return records.map((record) => (running.batch.isSettled(record) ? FULFILLED : REJECTED));
    },
    // Five milliseconds before the end is too late to send anything.
    { timeoutEarlyInMillis: 0 },
  )
    .use(sqsPartialBatchFailure({ logger: () => undefined }))
    // The partial-batch middleware turns an error into a response that reports every record: this keeps the error.
    .onError((request) => {
      const running = invocations.getStore();
      if (running !== undefined) running.failure = { error: request.error };
    });

  async function invoke(event: SQSEvent, lambda: Context, over: Queues): Promise<SQSBatchResponse> {
    const records = recordsOf(event);
    // Absent where a handler is called by hand with a bare object.
    const remainingMs = () => lambda.getRemainingTimeInMillis?.() ?? Number.POSITIVE_INFINITY;
    const deadline = new Deadline(remainingMs, program.reserveMs(remainingMs(), records.length));
    let letGo: (() => void) | undefined;
    deadline.onReached(() => {
      letGo = outliveStrayErrors(logger, { requestId: lambda.awsRequestId });
    });
    const batch = new Batch(records);
    const running: Running<Queues> = { lambda, batch, deadline, queues: over };
    const chained = invocations.run(running, chain, event, lambda);
    // A send that hangs, or a middleware: Lambda's kill would bring back every record, those that are settled too.
    await new Promise<void>((resolve) => {
      deadline.onClosed(resolve);
      chained.then(
        () => resolve(),
        (error: unknown) => {
          running.failure = { error };
          resolve();
        },
      );
    });
    deadline.end();
    letGo?.();

    const { failure } = running;
    const counts = () => ({ records: batch.size, started: batch.started, requestId: lambda.awsRequestId });
    if (deadline.closed)
      logger.error('out of time; records that are not settled will be redelivered', { ...counts(), settled: batch.settled });
    if (failure !== undefined) {
      logger.error('a middleware failed', { ...errorFields(readableError(failure.error)), ...counts() });
      // Nothing ran: the cause is common to all records. A failed invocation makes Lambda's pollers slow down, a list of failures does not.
      if (batch.started === 0) throw failure.error;
    }
    const response = batch.response();
    if (program.rejectsFailures && response.batchItemFailures.length > 0) {
      throw new ReplayFailedError(response.batchItemFailures.length, batch.size);
    }
    return response;
  }

  const add = (method: 'before' | 'after' | 'onError') => (middleware: Hook) => {
    chain[method](middleware);
    return handler;
  };
  const handler: SqsBatchHandler = Object.assign((event: SQSEvent, lambda: Context) => invoke(event, lambda, queues), {
    use(middlewares: StepMiddleware | StepMiddleware[]) {
      chain.use(middlewares);
      return handler;
    },
    before: add('before'),
    after: add('after'),
    onError: add('onError'),
  });
  return { handler, invoke };
}

function recordsOf(event: unknown): SQSEvent['Records'] {
  const records: unknown = typeof event === 'object' && event !== null ? Reflect.get(event, 'Records') : undefined;
  if (!Array.isArray(records) || !records.every(isSqsRecord)) {
    throw new InvalidEventError(
      `expected an SQS event with Records, got ${kindOf(records)}; is this function behind an event source mapping of a tasks or dead-letter queue?`,
    );
  }
  return records;
}

function isSqsRecord(record: unknown): record is SQSRecord {
  return typeof record === 'object' && record !== null && 'messageId' in record && 'body' in record;
}
