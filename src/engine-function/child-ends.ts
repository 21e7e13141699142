import type { StateStore, WorkflowRun } from '@dudousxd/nestjs-durable-core';
import type { FunctionEngine } from './engine-environment.ts';

const CHILD = 'child:';
/** A child that has ended tells its parent in the same moment. So long after it, nobody does any more. */
const UNTOLD_MS = 10_000;
/** Children looked at in one tick: one read each. Where there are more, each tick looks at others. */
const MOST = 200;

/** What a parent is told, as the engine itself words it. */
type Completion = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: string };

/**
 * Tells parents of children that have ended without telling them.
 *
 * The engine writes a child's end and then tells its parent. A process that dies in between leaves the parent asleep for ever: a parent that is
 * woken looks for what it was told, never at the child. Nor is a parent told of a child that was cancelled by its `executionTimeout`.
 */
export async function tellChildEnds(engine: FunctionEngine, store: StateStore, now = Date.now(), random = Math.random()): Promise<void> {
  const waiters = await store.listSignalWaiters(CHILD);
  const from = waiters.length > MOST ? Math.floor(random * waiters.length) : 0;
  for (const { token, runId } of [...waiters.slice(from), ...waiters.slice(0, from)].slice(0, MOST)) {
    const completion = completionOf(await store.getRun(token.slice(CHILD.length)), now);
    if (completion === undefined) continue;
    const parent = await store.getRun(runId);
    if (parent?.status === 'suspended') await engine.signal(token, completion);
  }
}

function completionOf(child: WorkflowRun | null, now: number): Completion | undefined {
  if (child === null || child.updatedAt.getTime() > now - UNTOLD_MS) return undefined;
  const { status, output, error } = child;
  if (status === 'completed') return { ok: true, value: output };
  if (status === 'failed' || status === 'cancelled' || status === 'dead') return { ok: false, error: error?.message ?? status };
  return undefined;
}
