import type { StepLogger } from '@dudousxd/nestjs-durable-core';
import type { RemoteTask } from '../wire/remote-task.ts';

/**
 * Second argument of every step: the engine's own `StepLogger` (what it records rides back on the result and shows in
 * the dashboard), and what there is to know about this delivery of the task.
 *
 * The same object is the core package's ambient `currentStep()` while the step runs.
 */
export interface StepContext extends StepLogger {
  /**
   * The task as the engine sent it: `stepId` (the same for every attempt: an idempotency key), `attempt`,
   * `traceparent`, `context`.
   */
  readonly task: RemoteTask;
  /**
   * Aborts when the time of the invocation is nearly over, or the worker closes, while this step runs: hand it to
   * `fetch` and SDK calls. Each step has a signal of its own.
   */
  readonly signal: AbortSignal;
  /** How often SQS has delivered this task, from 1. Not the engine's `attempt`. */
  readonly receiveCount: number;
  /** SQS's id of the message that holds this task. */
  readonly messageId: string;
  /** The tasks queue that it came by: its ARN on Lambda, its URL in a container. */
  readonly queue: string;
  /** Milliseconds until the invocation is killed; `Infinity` where nothing kills it. */
  remainingTimeMs(): number;
}
