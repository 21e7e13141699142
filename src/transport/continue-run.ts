import type { EngineEvent, WorkflowRun } from '@dudousxd/nestjs-durable-core';
import { RunLockedError } from '../errors.ts';
import { errorFields, type Logger } from '../logger.ts';
import { backoffMs } from '../sqs/retry.ts';
import type { Timing } from '../time.ts';
import type { EventTurns } from './event-turns.ts';

/** What `attach` needs of an engine; a `WorkflowEngine` has it. */
export interface AttachableEngine {
  subscribe(listener: (event: EngineEvent) => void): () => void;
  getRun?(runId: string): Promise<Pick<WorkflowRun, 'status'> | null>;
  resume?(runId: string): Promise<unknown>;
}

/** Twice the engine's lease on a run: by then the lock of an instance that died is free. */
const CONTINUE_TIMEOUT_MS = 60_000;
const CONTINUE_BACKOFF = { firstMs: 20, maxMs: 2_000 };

/**
 * Begins the turn that a result should have begun and did not: an engine saved the result and then rejected it or died (a redelivery is
 * taken silently), or another instance is in a turn of the run. The engine is asked to resume the run until a turn of it has ended here,
 * or the run has.
 * @returns whether the run has ended: another instance may have seen to that, whose events do not come here
 * @throws RunLockedError when another instance kept the run for longer than a lease; the result is then delivered again.
 */
export async function continueRun(runId: string, engine: AttachableEngine, turns: EventTurns, timing: Timing): Promise<boolean> {
  if (engine.getRun === undefined || engine.resume === undefined) return false;
  const deadline = timing.now() + CONTINUE_TIMEOUT_MS;
  for (let tries = 1; turns.mayContinue(runId); tries += 1) {
    const run = await engine.getRun(runId);
    if (run?.status !== 'suspended' && run?.status !== 'running') return run?.status === 'completed' || run?.status === 'failed';
    if (timing.now() > deadline) throw new RunLockedError(runId);
    // From the second time on, the run is locked by another instance: one that is in a turn, or one that has died in it.
    if (tries > 1) await timing.sleep(backoffMs(tries - 1, CONTINUE_BACKOFF, timing.random));
    try {
      await engine.resume(runId);
    } catch (error) {
      if (isNamespaceMismatch(error)) return false;
      throw error;
    }
  }
  return false;
}

/**
 * Brings a run back to its end, where it was put to sleep after that: its steps are settled, so it is only replayed. Does nothing where
 * it does not sleep. Never rejects: what fails is logged.
 */
export async function restoreEnd(runId: string, engine: AttachableEngine, logger: Logger): Promise<void> {
  try {
    const run = await engine.getRun?.(runId);
    if (run?.status !== 'suspended') return;
    logger.info('a run that had ended was put to sleep; it is resumed', { runId });
    await engine.resume?.(runId);
  } catch (error) {
    if (isNamespaceMismatch(error)) return;
    logger.warn("a run that had ended sleeps until the engine's reconcileMs: it could not be resumed", { runId, ...errorFields(error) });
  }
}

/** The run is another engine's to continue. Known by its text alone: the engine does not export the class, nor name its errors. */
function isNamespaceMismatch(error: unknown): boolean {
  return error instanceof Error && error.message === 'namespace-mismatch';
}
