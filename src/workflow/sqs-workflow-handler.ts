import type { SqsBatchHandler } from '../lambda/batch-handler.ts';
import { WORKFLOW_HANDLER } from '../lambda/handler-marks.ts';
import { type TaskHandlerInternals, taskHandler } from '../lambda/task-handler.ts';
import { TURN_FORMAT } from '../step/turn-tasks.ts';
import { runTurn, versionMissing } from './run-turn.ts';
import { readWorkflowArguments, type TypedWorkflow, type WorkflowHandlerOptions, type WorkflowsByVersion } from './workflow-options.ts';

/** A Lambda handler for the tasks queue of a workflow, and a middy: middlewares plug in with `use`. */
export interface SqsWorkflowHandler extends SqsBatchHandler {
  /**
   * For tests and commands: which workflows this handler serves, and an invocation whose decisions go somewhere else
   * than to SQS.
   */
  readonly [WORKFLOW_HANDLER]: TaskHandlerInternals;
}

/**
 * A Lambda function as the worker of one workflow: its code runs here, turn by turn, and the engine keeps what it has
 * done.
 *
 * ```ts
 * export const handler = sqsWorkflowHandler('checkout', '1', async (ctx, order: Order) => {
 *   const payment = await ctx.step('payments.charge-card', order.payment);
 *   await ctx.sleep('2h');
 *   return ctx.step('orders.ship', { order, payment });
 * });
 * ```
 *
 * The engine only has to know that it is there: `engine.remote('checkout', { group: 'checkout' })`. Needs
 * `@dudousxd/durable-worker`.
 *
 * A decision is sent to the results queue before the record is consumed. A workflow that throws fails its run; a record
 * whose decision could not be sent, or whose version of the workflow is not served here, is reported to SQS for another
 * delivery.
 *
 * @throws ConfigurationError at module load, for an option or environment variable that is unknown or of the wrong
 * type.
 */
export function sqsWorkflowHandler<Input, Output>(
  name: string,
  version: string,
  fn: TypedWorkflow<Input, Output>,
  options?: WorkflowHandlerOptions,
): SqsWorkflowHandler;
/** One Lambda function as the worker of several workflows, or of several versions of one. */
export function sqsWorkflowHandler<Inputs extends Record<string, unknown>>(
  workflows: WorkflowsByVersion<Inputs>,
  options?: WorkflowHandlerOptions,
): SqsWorkflowHandler;
export function sqsWorkflowHandler(...given: readonly unknown[]): SqsWorkflowHandler {
  const { workflows, options } = readWorkflowArguments(given, process.env);
  const { handler, internals } = taskHandler({
    format: TURN_FORMAT,
    runner: () => (task, inFlight) => runTurn(task, inFlight, workflows),
    leaves: (task) => versionMissing(workflows, task),
    // A failed turn fails its run for good, and a stopped one is none of its doing.
    onDeadline: 'redeliver',
    names: [...workflows.keys()],
    options,
  });
  return Object.assign(handler, { [WORKFLOW_HANDLER]: internals });
}
