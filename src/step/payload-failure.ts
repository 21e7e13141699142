import { type PayloadStoreError, StepFailedError } from '../errors.ts';
import type { StepResult } from '../wire/step-result.ts';

/**
 * What the engine is told of a step whose stored input cannot be had, or whose large output cannot be stored. Not retryable: it is the
 * same for every attempt, and an output that cannot be stored was worked for each time.
 */
export function payloadFailure(
  { runId, seq, stepId }: Pick<StepResult, 'runId' | 'seq' | 'stepId'>,
  what: 'the task could not be read' | 'the result could not be stored',
  error: PayloadStoreError,
): StepResult {
  const { message, code, retryable } = new StepFailedError('payload_store', `${what}: ${error.message}`);
  return { runId, seq, stepId, status: 'failed', error: { message, code, retryable } };
}
