import type { WorkflowDecision, WorkflowTask } from '@dudousxd/nestjs-durable-core';
import { ConfigurationError } from '../errors.ts';
import { errorFields, type Logger } from '../logger.ts';
import { DISPATCH_BACKOFF, retry } from '../sqs/retry.ts';
import type { Timing } from '../time.ts';

export interface WorkflowTurnsOptions {
  /** How long the engine is told of a failure that its store does not take. */
  readonly dispatchTimeoutMs: number;
  readonly onError: (error: unknown, queueUrl: string | undefined) => void;
  readonly logger: Logger;
  readonly timing: Timing;
}

/**
 * Turns of workflows whose code is to run on a worker (`engine.remote`). They are not carried: each is answered with a failure of its run.
 *
 * To reject the dispatch is no answer. The engine sends a turn where nobody handles a rejection, so its process would end, and the run
 * would wait for ever.
 */
export class WorkflowTurns {
  readonly #options: WorkflowTurnsOptions;
  #handler: ((decision: WorkflowDecision) => Promise<void>) | undefined;

  constructor(options: WorkflowTurnsOptions) {
    this.#options = options;
  }

  onDecision(handler: (decision: WorkflowDecision) => Promise<void>): void {
    this.#handler = handler;
  }

  /** Fails the run. Never rejects. */
  async dispatch({ taskId, runId, workflow }: WorkflowTask): Promise<void> {
    const { logger, onError, timing, dispatchTimeoutMs } = this.#options;
    const error = notCarried(workflow);
    const { name, message, code } = error;
    onError(error, undefined);
    logger.error('a workflow turn cannot be sent; its run fails', { runId, workflow, errorName: name, reason: message });
    const decision: WorkflowDecision = { taskId, runId, status: 'failed', commands: [], error: { message, code } };
    try {
      await retry(async () => this.#handler?.(decision), {
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

function notCarried(workflow: string): ConfigurationError {
  return new ConfigurationError(
    `SqsTransport does not carry workflow turns: workflow "${workflow}" is to run on a worker. Register its code in the engine's process ` +
      '(engine.register), and leave only its steps to workers.',
  );
}
