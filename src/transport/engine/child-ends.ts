import type { StateStore, WorkflowRun } from '@dudousxd/nestjs-durable-core';

const CHILD = 'child:';
/** A child that has ended tells its parent in the same moment. So long after it, nobody does any more. */
const UNTOLD_MS = 10_000;
/** Children looked at in one pass: one read each. Where there are more, each pass looks at others. */
const MOST = 200;

/** What is told of a child that has ended, as the engine itself words it. */
export type ChildEnd = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: string };

export interface SignallingEngine {
  signal(token: string, payload: unknown): Promise<unknown>;
}

/**
 * Tells parents of children that have ended without telling them.
 *
 * The engine writes a child's end and then tells its parent. A process that dies in between leaves the parent asleep
 * for ever: a parent that is woken looks for what it was told, never at the child. Nor is a parent told of a child that
 * was cancelled by its `executionTimeout`.
 */
export async function tellChildEnds(engine: SignallingEngine, store: StateStore, now = Date.now(), random = Math.random()): Promise<void> {
  const waiters = await store.listSignalWaiters(CHILD);
  const from = waiters.length > MOST ? Math.floor(random * waiters.length) : 0;
  for (const { token, runId } of [...waiters.slice(from), ...waiters.slice(0, from)].slice(0, MOST)) {
    const child = await store.getRun(token.slice(CHILD.length));
    if (child === null || child.updatedAt.getTime() > now - UNTOLD_MS) continue;
    const end = endOf(child);
    if (end === undefined) continue;
    const parent = await store.getRun(runId);
    if (parent?.status === 'suspended') await engine.signal(token, end);
  }
}

/** Where the parent of a child hears of its end. */
export function childToken(childId: string): string {
  return `${CHILD}${childId}`;
}

/** Undefined for a child that has not ended. */
export function endOf({ status, output, error }: Pick<WorkflowRun, 'status' | 'output' | 'error'>): ChildEnd | undefined {
  if (status === 'completed') return { ok: true, value: output };
  if (status === 'failed' || status === 'cancelled' || status === 'dead') return { ok: false, error: error?.message ?? status };
  return undefined;
}
