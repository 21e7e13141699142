import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { defaultLogger, safeLogger } from '../logger.ts';
import { batchHandler, middyMethods, type SqsBatchHandler } from './batch-handler.ts';
import { FlushCost } from './flush-cost.ts';
import { isReplay, printingChannel, printThrown, replayOf, showsThrown } from './replay.ts';
import { type ResultChannel, sqsResultChannel } from './result-channel.ts';
import type { RecordRunner } from './run-record.ts';
import { runRecords } from './run-records.ts';
import { StepDurations } from './step-durations.ts';
import {
  type CheckedSteps,
  readArguments,
  type SingleStepHandlerOptions,
  type StepFunction,
  type StepHandlerOptions,
  type StepsByInput,
} from './step-handler-options.ts';
import { WarmRepeats } from './warm-repeats.ts';

/** A Lambda handler for a tasks queue, and a middy: middlewares plug in with `use`. */
export interface SqsStepHandler extends SqsBatchHandler {
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
  const { concurrency, marker, around, payloadStore, onDeadline, deadlineReserveMs } = options;
  const logger = safeLogger(options.logger ?? defaultLogger());
  const prints = replayOf(process.env) === 'print';
  const toSqs = prints ? printingChannel() : sqsResultChannel(options);
  const costs = new FlushCost();
  const runner: RecordRunner = {
    worker: { steps, around },
    concurrency,
    marker,
    payloadStore,
    storesResults: !prints,
    onThrown: showsThrown(process.env) ? printThrown : undefined,
    onDeadline,
    logger,
    costs,
    durations: new StepDurations(steps.keys()),
    repeats: new WarmRepeats(),
  };
  const { chain, invoke } = batchHandler({
    logger,
    rejectsFailures: isReplay(process.env),
    reserveMs: (availableMs, records) =>
      reserveMs(deadlineReserveMs, availableMs, () => costs.reserveMs(availableMs, Math.min(records, concurrency))),
    run: (records, invocation) => runRecords(records, invocation, runner),
  });
  const handler: SqsStepHandler = Object.assign(
    (event: SQSEvent, context: Context) => invoke(event, context, toSqs),
    middyMethods(chain, () => handler),
    { [STEP_HANDLER]: { stepNames: [...steps.keys()], marker, invoke } },
  );
  return handler;
}

/** At most half of the time: a reserve above the function's timeout would keep every step from starting, for ever. */
function reserveMs(given: number | undefined, availableMs: number, measured: () => number): number {
  return given === undefined ? measured() : Math.min(given, availableMs / 2);
}
