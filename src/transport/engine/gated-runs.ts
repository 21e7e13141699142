import type { StateStore } from '@dudousxd/nestjs-durable-core';

type RunPatch = Parameters<StateStore['updateRun']>[1];

/**
 * The patch of a run, with its timer kept where the engine clears that without writing a state.
 *
 * A run of a singleton that may not begin yet sleeps for a second. When another run of its key ends, the engine clears
 * the timer of the next one, and only then begins it. Where another instance holds the run at that moment, or the
 * process dies, no timer is left, and the run would sleep for ever. With its timer it begins a second later.
 */
export function withTimerKept(patch: RunPatch): RunPatch {
  const clearsTimer = 'wakeAt' in patch && patch.wakeAt === undefined;
  if (!clearsTimer || patch.status !== undefined || 'awaitingDecisionTaskId' in patch) return patch;
  const { wakeAt: _, ...rest } = patch;
  return rest;
}
