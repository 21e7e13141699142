import type { WorkflowDecision } from '@dudousxd/nestjs-durable-core';
import type { Timing } from '../../time.ts';
import type { AttachableEngine } from './attachable-engine.ts';

const LOOK_EVERY_MS = 10;
/** A child that is not there by then never will be: the engine has told its parent why. */
const STARTED_WITHIN_MS = 1_000;

/**
 * Resolves when the children that a decision starts are in the store.
 *
 * The engine starts them without waiting for it. A process that ends before has consumed the decision, and the parent would sleep until the
 * engine's `reconcileMs`.
 */
export async function childrenStarted({ runId, commands }: WorkflowDecision, engine: AttachableEngine, timing: Timing): Promise<void> {
  const deadline = timing.now() + STARTED_WITHIN_MS;
  for (const { kind, seq } of commands) {
    if (kind !== 'startChild') continue;
    while ((await engine.getRun(`${runId}.child.${seq}`)) === null && timing.now() < deadline) await timing.sleep(LOOK_EVERY_MS);
  }
}
