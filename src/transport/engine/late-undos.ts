import type { StepCheckpoint, WorkflowRun } from '@dudousxd/nestjs-durable-core';
import type { StepResult } from '../../wire/step-result.ts';

/** Between the clocks of two instances. */
const TOLERANCE_MS = 1_000;

/**
 * Whether a failed run is to be taken up once more for a result that was delivered before: an engine may have saved it
 * and died before the turn that undoes its step.
 *
 * In such a turn the workflow runs again from its checkpoints, and must fail again. That is so where a step has failed
 * it that has a checkpoint. A local step, or one that is awaited in memory, would run once more; a step whose dispatch
 * was refused would be waited for. So it must be a step's failure that failed the run, and the result must have come
 * later than that: what came before was undone with the others.
 */
export function isLateUndo({ seq }: Pick<StepResult, 'seq'>, run: Pick<WorkflowRun, 'error'>, all: readonly StepCheckpoint[]): boolean {
  const failures = all.filter((step) => step.kind === 'remote' && step.status === 'failed' && step.seq >= 0 && hasFailed(run, step));
  if (failures.length === 0) return false;
  // An undo: the next one follows it.
  if (seq < 0) return true;
  const late = all.find((step) => step.seq === seq);
  const failedAt = Math.min(...failures.map(({ finishedAt }) => finishedAt.getTime()));
  return late?.status === 'completed' && late.finishedAt.getTime() >= failedAt - TOLERANCE_MS;
}

/** A workflow throws the error of its step, or says it in its own words, too. */
function hasFailed(run: Pick<WorkflowRun, 'error'>, { error }: StepCheckpoint): boolean {
  return error !== undefined && error.message !== '' && run.error?.message.includes(error.message) === true;
}
