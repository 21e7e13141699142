import type { WorkflowDecision, WorkflowTask } from '@dudousxd/nestjs-durable-core';
import { DurableSqsError } from '../errors.ts';
import { errorFields, type Logger } from '../logger.ts';
import { DISPATCH_BACKOFF, retry } from '../sqs/retry.ts';
import { failedDecision } from '../step/turn-tasks.ts';
import type { Timing } from '../time.ts';

export interface WorkflowTurnsOptions {
  /** Resolves once SQS has accepted the turn. */
  readonly send: (task: WorkflowTask) => Promise<void>;
  /** How long the engine is told of a failure that its store does not take. */
  readonly dispatchTimeoutMs: number;
  readonly onError: (error: unknown, queueUrl: string | undefined) => void;
  readonly logger: Logger;
  readonly timing: Timing;
}

/**
 * Turns of workflows whose code runs on a worker (`engine.remote`). A turn that cannot be sent fails its run, as a step
 * that cannot be dispatched does.
 *
 * To reject the dispatch is no answer. The engine sends a turn where nobody handles a rejection, so its process would
 * end, and the run would wait for ever.
 */
export class WorkflowTurns {
  readonly #options: WorkflowTurnsOptions;
  /** The engine's. It applies a decision to its run. */
  handler: ((decision: WorkflowDecision) => Promise<void>) | undefined;

  constructor(options: WorkflowTurnsOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async dispatch(task: WorkflowTask): Promise<void> {
    try {
      await this.#options.send(task);
    } catch (error) {
      await this.#fail(task, error);
    }
  }

  async #fail(task: WorkflowTask, error: unknown): Promise<void> {
    const { logger, onError, timing, dispatchTimeoutMs } = this.#options;
    const { runId, workflow } = task;
    onError(error, undefined);
    logger.error('a turn of a workflow could not be sent; its run fails', { runId, workflow, ...errorFields(error) });
    const { message } = error instanceof Error ? error : { message: String(error) };
    const code = error instanceof DurableSqsError ? { code: error.code } : {};
    const decision = failedDecision(task, { message, ...code });
    try {
      await retry(async () => this.handler?.(decision), {
        backoff: DISPATCH_BACKOFF,
        timing,
        timeoutMs: dispatchTimeoutMs,
        isTransient: () => true,
      });
    } catch (rejection) {
      logger.error('a run could not be failed; it waits for a turn that never comes', { runId, workflow, ...errorFields(rejection) });
    }
  }
}
