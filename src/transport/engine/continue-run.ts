import type { RunStatus, WorkflowRun } from '@dudousxd/nestjs-durable-core';
import { NamespaceMismatchError, RunLockedError } from '../../errors.ts';
import { backoffMs } from '../../sqs/retry.ts';
import type { Timing } from '../../time.ts';
import type { AttachableEngine } from './attachable-engine.ts';
import { LOCK_FREE_MS } from './engine-lease.ts';

const CONTINUE_BACKOFF = { firstMs: 20, maxMs: 2_000 };

const GOING_ON: ReadonlySet<unknown> = new Set<RunStatus>(['suspended', 'running']);

interface Continuation {
  /**
   * Whether no turn has ended yet, and none waits for a step in memory: the engine would begin a second one beside it,
   * since its lock on the run keeps out other instances only.
   */
  readonly isWanted: () => boolean;
  /** Whether a step of the run, which has failed, is still to be undone. */
  readonly isUndoing: (run: Pick<WorkflowRun, 'error'>) => Promise<boolean>;
}

/**
 * Begins the turn that a result should have begun and did not: has the engine resume the run until a turn of it has
 * ended here, or the run has.
 * @throws RunLockedError where another instance kept the run for longer than a lease, NamespaceMismatchError where the
 * run is another engine's to continue; the result is then redelivered.
 */
export async function continueRun(
  runId: string,
  engine: AttachableEngine,
  { isWanted, isUndoing }: Continuation,
  timing: Timing,
): Promise<void> {
  const deadline = timing.now() + LOCK_FREE_MS;
  for (let tries = 1; isWanted(); tries += 1) {
    const run = await engine.getRun(runId);
    if (run === null || !(run.status === 'failed' ? await isUndoing(run) : GOING_ON.has(run.status))) return;
    if (timing.now() > deadline) throw new RunLockedError(runId);
    // From the second time on, another instance holds the run: one that is in a turn, or one that has died in it.
    if (tries > 1) await timing.sleep(backoffMs(tries - 1, CONTINUE_BACKOFF, timing.random));
    try {
      await engine.resume(runId);
    } catch (error) {
      throw isNamespaceMismatch(error) ? new NamespaceMismatchError(runId) : error;
    }
  }
}

/**
 * The run is another engine's to continue. Known by its text alone: the engine does not export the class, nor name its
 * errors.
 */
export function isNamespaceMismatch(error: unknown): boolean {
  return error instanceof Error && error.message === 'namespace-mismatch';
}
