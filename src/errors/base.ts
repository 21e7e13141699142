/**
 * What every error of this package is.
 *
 * Each has a `code` to branch on, and a literal `name`: minifiers rename classes, so `constructor.name` does not
 * survive a bundle. Messages carry identifiers (queue, message id, run id, step id) and never a body, an input or an
 * output: a payload may hold a card number.
 */

/** Base of the taxonomy: `error instanceof DurableSqsError` tells ours from everybody else's. */
export abstract class DurableSqsError extends Error {
  abstract override readonly name: string;
  /** Stable, machine-readable; one per class. */
  abstract readonly code: string;
}

/** An error about one run. */
export abstract class RunError extends DurableSqsError {
  readonly runId: string;

  constructor(runId: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.runId = runId;
  }
}

export interface StepIds {
  readonly runId: string;
  readonly stepId: string;
}

/** An error about one step of a run. */
export abstract class StepError extends RunError {
  readonly stepId: string;

  constructor({ runId, stepId }: StepIds, message: string, options?: ErrorOptions) {
    super(runId, message, options);
    this.stepId = stepId;
  }
}

/**
 * An option, environment variable or name is wrong. Thrown at construction or module load, never while messages flow.
 */
export class ConfigurationError extends DurableSqsError {
  override readonly name = 'ConfigurationError';
  readonly code = 'configuration';
}
