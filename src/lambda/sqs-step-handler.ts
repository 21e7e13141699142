import { type Filling, runStep, STEP_FORMAT, type Steps } from '../step/step-tasks.ts';
import type { SqsBatchHandler } from './batch-handler.ts';
import { STEP_HANDLER } from './handler-marks.ts';
import { printThrown, showsThrown } from './replay.ts';
import {
  type CheckedSteps,
  type LambdaStepContext,
  readArguments,
  type SingleStepHandlerOptions,
  type StepFunction,
  type StepHandlerOptions,
  type StepsByInput,
} from './step-handler-options.ts';
import { type TaskHandlerInternals, taskHandler } from './task-handler.ts';

/** A Lambda handler for a tasks queue, and a middy: middlewares plug in with `use`. */
export interface SqsStepHandler extends SqsBatchHandler {
  /** For tests: which steps this handler serves, and an invocation whose results go somewhere else than to SQS. */
  readonly [STEP_HANDLER]: TaskHandlerInternals;
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
 * The result is sent to the results queue before the record is consumed. A step that throws is a failed result (the
 * engine decides on a retry); only a record whose result could not be sent, or that is no task at all, is reported to
 * SQS for another delivery.
 *
 * @throws ConfigurationError at module load, for an option or environment variable that is unknown or of the wrong
 * type.
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
  const { around, onDeadline } = options;
  const served: Steps<LambdaStepContext> = { steps, around, onThrown: showsThrown(process.env) ? printThrown : undefined };
  const { handler, internals } = taskHandler({
    format: STEP_FORMAT,
    runner({ lambda, remainingTimeMs }) {
      const fill = (context: Filling<LambdaStepContext>) => {
        context.lambda = lambda;
        context.remainingTimeMs = remainingTimeMs;
      };
      return (task, inFlight) => runStep(task, inFlight, served, fill);
    },
    onDeadline,
    names: [...steps.keys()],
    options,
  });
  return Object.assign(handler, { [STEP_HANDLER]: internals });
}
