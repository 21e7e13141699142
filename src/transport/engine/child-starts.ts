import type { WorkflowDecision } from '@dudousxd/nestjs-durable-core';
import type { Timing } from '../../time.ts';
import type { AttachableEngine } from './attachable-engine.ts';
import { childToken, endOf } from './child-ends.ts';

const LOOK_EVERY_MS = 10;
/** A child that is not there by then never will be: the engine has told its parent why. */
const STARTED_WITHIN_MS = 1_000;

/**
 * Resolves when the children that a decision starts are in the store.
 *
 * The engine starts them without waiting for it. A process that ends before has consumed the decision, and the parent
 * would sleep until the engine's `reconcileMs`. It also tells a parent of its child's end once, without waiting for it:
 * a parent that calls for a child which has ended already was not told, and is told now.
 */
export async function childrenStarted({ runId, commands }: WorkflowDecision, engine: AttachableEngine, timing: Timing): Promise<void> {
  const deadline = timing.now() + STARTED_WITHIN_MS;
  for (const { kind, seq } of commands) {
    if (kind !== 'startChild') continue;
    const childId = `${runId}.child.${seq}`;
    let child = await engine.getRun(childId);
    for (; child === null && timing.now() < deadline; child = await engine.getRun(childId)) await timing.sleep(LOOK_EVERY_MS);
    const end = child === null ? undefined : endOf(child);
    if (end !== undefined) await engine.signal?.(childToken(childId), end);
  }
}
