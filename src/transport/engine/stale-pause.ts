import type { StepCheckpoint } from '@dudousxd/nestjs-durable-core';

/**
 * A checkpoint as the engine had written it, from a store that keeps a `wakeAt` which a later write leaves out.
 *
 * `@dudousxd/nestjs-durable-store-mikro-orm` 0.20 does. The pause before an attempt then stays in its checkpoint, and
 * is over: the attempt's failure is followed by the next one without a pause, and with `remoteRedispatchMs` the attempt
 * is taken for lost, and sent once more, by the next turn of its run.
 */
export function withoutStalePause<T extends StepCheckpoint | null>(checkpoint: T): T {
  if (checkpoint === null || checkpoint.kind !== 'remote' || checkpoint.wakeAt === undefined) return checkpoint;
  // What the engine writes once the attempt is queued ends later than that.
  return checkpoint.wakeAt < checkpoint.enqueuedAt.getTime() ? { ...checkpoint, wakeAt: undefined } : checkpoint;
}
