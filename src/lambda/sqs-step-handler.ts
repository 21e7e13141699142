import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { defaultLogger, safeLogger } from '../logger.ts';
import { batchHandler, type SqsBatchHandler } from './batch-handler.ts';
import { STEP_HANDLER, TEST_QUEUES } from './handler-marks.ts';
import { SendTimes, StepTimes } from './measured-times.ts';
import { isReplay, printingQueues, printThrown, replayOf, showsThrown, storesNothing } from './replay.ts';
import { StepBatch, type StepWorker } from './run-batch.ts';
import {
  type CheckedSteps,
  readArguments,
  type SingleStepHandlerOptions,
  type StepFunction,
  type StepHandlerOptions,
  type StepsByInput,
} from './step-handler-options.ts';
import { UnsentResults } from './unsent-results.ts';
import { sqsQueues, type WorkerQueues } from './worker-queues.ts';

interface ContextOfTest extends Context {
  readonly [TEST_QUEUES]?: WorkerQueues;
}

/** A Lambda handler for a tasks queue, and a middy: middlewares plug in with `use`. */
export interface SqsStepHandler extends SqsBatchHandler {
  /** For tests: which steps this handler serves, and an invocation whose results go somewhere else than to SQS. */
  readonly [STEP_HANDLER]: StepHandlerInternals;
}

export interface StepHandlerInternals {
  readonly stepNames: readonly string[];
  /** The message attribute without which a record is left alone. */
  readonly marker: string | undefined;
  invoke(event: SQSEvent, context: Context, queues: WorkerQueues): Promise<SQSBatchResponse>;
}

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
  const sendTimes = new SendTimes();
  const worker: StepWorker = {
    steps: { steps, around, onThrown: showsThrown(process.env) ? printThrown : undefined },
    concurrency,
    marker,
    payloadStore: prints && payloadStore !== undefined ? storesNothing(payloadStore) : payloadStore,
    onDeadline,
    logger,
    sendTimes,
    stepTimes: new StepTimes(steps.keys()),
    unsent: new UnsentResults(),
  };
  const queues = prints ? printingQueues() : sqsQueues(options);
  const { handler, invoke } = batchHandler<WorkerQueues>(
    {
      logger,
      rejectsFailures: isReplay(process.env),
      reserveMs: (availableMs, records) => sendTimes.reserveMs(availableMs, Math.min(records, concurrency), deadlineReserveMs),
      run: (records, invocation, over) => new StepBatch(records, invocation, over, worker).handle(),
    },
    (context: ContextOfTest) => context?.[TEST_QUEUES] ?? queues,
  );
  return Object.assign(handler, { [STEP_HANDLER]: { stepNames: [...steps.keys()], marker, invoke } });
}
