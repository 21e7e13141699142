import type { WorkflowDecision } from '@dudousxd/nestjs-durable-core';
import type { AttachableEngine } from './attachable-engine.ts';
import type { EngineStore } from './engine-store.ts';

/**
 * Sends the steps once more that a decision calls for and that are out for longer than `remoteRedispatchMs`. To be
 * called before the engine is given the decision.
 *
 * The engine saves a step, and then sends its task. Where its process died in between, each further turn of the
 * workflow calls for the step again, and the engine passes over a call whose step is saved: in a workflow on Lambda it
 * knows no `remoteRedispatchMs`. Its own `redispatchPending` sends all that is out, so it is called where that is true
 * of all.
 */
export async function sendLostCalls(
  { runId, commands }: WorkflowDecision,
  engine: AttachableEngine,
  { store, deadline }: Pick<EngineStore, 'store' | 'deadline'>,
): Promise<void> {
  const called = new Set(commands.flatMap(({ kind, seq }) => (kind === 'call' ? [seq] : [])));
  if (!deadline.isSet || engine.redispatchPending === undefined || called.size === 0) return;
  const out = (await store.listCheckpoints(runId)).filter(({ kind, status }) => kind === 'remote' && status === 'pending');
  if (out.every((step) => deadline.isOver(step)) && out.some(({ seq }) => called.has(seq))) await engine.redispatchPending(runId);
}
