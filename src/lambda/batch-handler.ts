import { AsyncLocalStorage } from 'node:async_hooks';
import middy from '@middy/core';
import sqsPartialBatchFailure from '@middy/sqs-partial-batch-failure';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { InvalidEventError, ReplayFailedError } from '../errors.ts';
import { errorFields, type Logger } from '../logger.ts';
import { readableError } from '../step/readable-error.ts';
import { kindOf } from '../wire/json.ts';
import { isRecord } from '../wire/shape.ts';
import { Batch } from './batch.ts';
import { Deadline } from './deadline.ts';
import { outliveStrayErrors } from './stray-errors.ts';

/**
 * What a middleware is given: middy's request. Written out here, because middy's own types import a package that few
 * have (`@aws/durable-execution-sdk-js`): in our `.d.ts` they would be an error to whoever checks libraries.
 */
export interface StepMiddlewareRequest {
  event: SQSEvent;
  context: Context;
  response: unknown;
  earlyResponse?: unknown;
  error: Error | null | undefined;
  internal: Record<string, unknown>;
}

/**
 * A middy middleware. Methods, so that one written for more than we promise (its own `internal`, a wider event) still
 * fits.
 */
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
export interface BatchProgram<Queues> {
  readonly logger: Logger;
  /** Whether the invocation fails where any record does, instead of reporting it. */
  readonly rejectsFailures: boolean;
  /** How long before its end an invocation of so many records stops working. */
  reserveMs(availableMs: number, records: number): number;
  run(records: readonly SQSRecord[], invocation: Invocation, queues: Queues): Promise<void>;
}

type Middy = middy.MiddyfiedHandler<SQSEvent, unknown>;

/** An invocation in middy's chain, and what came of that. */
interface Running<Queues> extends Invocation {
  readonly queues: Queues;
  outcome?: Outcome;
  /** What the program itself threw: an engine whose store does not answer, say. */
  thrown?: unknown;
}

type Outcome = { readonly answer: unknown } | { readonly error: unknown };

/**
 * A program as a Lambda handler, and one call of it over other queues.
 * @param queuesOf the queues of an invocation
 */
export function batchHandler<Queues>(program: BatchProgram<Queues>, queuesOf: (context: Context) => Queues) {
  const { logger } = program;
  // Which invocation it is: not by module state (some runtimes run invocations at once), and not by the event or
  // context, which a middleware may replace.
  const invocations = new AsyncLocalStorage<Running<Queues>>();

  const chain: Middy = middy<SQSEvent, unknown>(
    async (event: SQSEvent, lambda: Context) => {
      const running = invocations.getStore();
      if (running === undefined) throw new InvalidEventError('the handler was called outside of an invocation');
      const records = recordsOf(event);
      if (records === undefined) throw noSqsEvent(event);
      running.batch.holds(records);
      try {
        await program.run(records, { ...running, lambda }, running.queues);
      } catch (error) {
        running.thrown = error;
        throw error;
      }
      // As the partial-batch middleware reads it.
      return records.map((record) => ({ status: running.batch.isSettled(record) ? 'fulfilled' : 'rejected' }));
    },
    // Five milliseconds before the end is too late to send anything.
    { timeoutEarlyInMillis: 0 },
  )
    .use(sqsPartialBatchFailure({ logger: () => undefined }))
    // The partial-batch middleware turns an error into a response that reports every record: this keeps the error.
    .onError((request) => {
      const running = invocations.getStore();
      if (running !== undefined) running.outcome = { error: request.error };
    });

  async function invoke(event: SQSEvent, lambda: Context, over: Queues): Promise<SQSBatchResponse> {
    checkContext(lambda);
    const remainingMs = () => {
      // Absent where a handler is called by hand with a bare object.
      const ms: unknown = lambda.getRemainingTimeInMillis?.();
      return typeof ms === 'number' && !Number.isNaN(ms) ? ms : Number.POSITIVE_INFINITY;
    };
    const records = recordsOf(event);
    const batch = new Batch();
    if (records !== undefined) batch.holds(records);
    const deadline = new Deadline(remainingMs, program.reserveMs(remainingMs(), records?.length ?? Number.POSITIVE_INFINITY));
    let letGo: (() => void) | undefined;
    deadline.onReached(() => {
      letGo = outliveStrayErrors(logger, { requestId: lambda.awsRequestId });
    });
    const running: Running<Queues> = { lambda, batch, deadline, queues: over };
    const chained = invocations.run(running, chain, event, lambda);
    // A send that hangs, or a middleware: Lambda's kill would bring back every record, those that are settled too.
    await new Promise<void>((resolve) => {
      deadline.onClosed(resolve);
      const ended = (outcome: Outcome) => {
        running.outcome ??= outcome;
        resolve();
      };
      chained.then(
        (answer) => ended({ answer }),
        (error: unknown) => ended({ error }),
      );
    });
    deadline.end();
    letGo?.();
    return batch.isKnown ? responseOf(running) : answerOf(event, running);
  }

  /** The response for records: by what was settled, whatever the middlewares have made of it. */
  function responseOf({ batch, deadline, lambda, outcome, thrown }: Running<Queues>): SQSBatchResponse {
    const counts = () => ({ records: batch.size, started: batch.started, requestId: lambda.awsRequestId });
    if (deadline.closed)
      logger.error('out of time; records that are not settled will be redelivered', { ...counts(), settled: batch.settled });
    if (outcome !== undefined && 'error' in outcome) {
      const what = outcome.error === thrown ? 'the invocation failed' : 'a middleware failed';
      logger.error(what, { ...errorFields(readableError(outcome.error)), ...counts() });
      // Nothing ran: the cause is common to all records. A failed invocation makes Lambda's pollers slow down, a list
      // of failures does not.
      if (batch.started === 0) throw outcome.error;
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
  const handler: SqsBatchHandler = Object.assign((event: SQSEvent, lambda: Context) => invoke(event, lambda, queuesOf(lambda)), {
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

/**
 * The answer to an event without records: a middleware's, which knows what it is (a warm-up, say), or there is none.
 */
function answerOf(event: unknown, { outcome }: Running<unknown>): SQSBatchResponse;
function answerOf(event: unknown, { outcome }: Running<unknown>): unknown {
  if (outcome === undefined) throw noSqsEvent(event);
  if ('error' in outcome) throw outcome.error;
  return outcome.answer;
}

function checkContext(lambda: unknown): void {
  if (typeof lambda === 'object' && lambda !== null) return;
  throw new InvalidEventError(
    `expected the context of the invocation as second argument, got ${kindOf(lambda)}; a test calls runStep of durable-sqs-lambda/local instead`,
  );
}

/** Undefined where the event is none of SQS's. */
function recordsOf(event: unknown): readonly SQSRecord[] | undefined {
  const records = fieldRecords(event);
  return Array.isArray(records) && records.every(isSqsRecord) ? records : undefined;
}

function fieldRecords(event: unknown): unknown {
  return isRecord(event) ? event['Records'] : undefined;
}

function isSqsRecord(record: unknown): record is SQSRecord {
  return isRecord(record) && 'messageId' in record && 'body' in record;
}

function noSqsEvent(event: unknown): InvalidEventError {
  return new InvalidEventError(
    `expected an SQS event with Records, got ${kindOf(fieldRecords(event))}; is this function behind an event source mapping of a tasks or dead-letter queue?`,
  );
}
