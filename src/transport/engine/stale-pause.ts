import type { StepCheckpoint } from '@dudousxd/nestjs-durable-core';

/**
 * A checkpoint as the engine had written it, from a store that keeps a `wakeAt` which a later write leaves out.
 *
 * `@dudousxd/nestjs-durable-store-mikro-orm` 0.20 does. The pause before an attempt then stays in its checkpoint, and
 * is over: the attempt's failure is followed by the next one without a pause.
 */
export function withoutStalePause(checkpoint: StepCheckpoint): StepCheckpoint {
  if (checkpoint.kind !== 'remote' || checkpoint.wakeAt === undefined) return checkpoint;
  // What the engine writes once the attempt is queued ends later than that.
  return checkpoint.wakeAt < checkpoint.enqueuedAt.getTime() ? { ...checkpoint, wakeAt: undefined } : checkpoint;
}
