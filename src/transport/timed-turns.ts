import { steadyNow } from '../time.ts';
import type { DispatchedStep, ResultIds, Turns } from './turns.ts';

/**
 * Turns by the clock, for a transport that is not attached: a result waits until `holdMs` past its dispatch, by when the turn will
 * have written its state; if its dispatch happened while an earlier result was with the engine, until the engine is done with that one.
 */
export class TimedTurns implements Turns {
  readonly #holdMs: number;
  /** Until when the result of a step that was dispatched lately is held, by the steady clock; by step id, soonest first. */
  readonly #holds = new Map<string, number>();
  /** Runs of which a result is with the engine, and the steps that were dispatched since. */
  readonly #deliveries = new Map<string, Set<string>>();
  #sweep: NodeJS.Timeout | undefined;

  constructor(holdMs: number) {
    this.#holdMs = holdMs;
  }

  /** Steps and runs of which something is remembered; 0 once all have been quiet. */
  get size(): number {
    return this.#holds.size + this.#deliveries.size;
  }

  dispatching({ runId, stepId }: DispatchedStep): void {
    this.#deliveries.get(runId)?.add(stepId);
    this.#hold(stepId);
  }

  dispatched({ stepId }: DispatchedStep): void {
    // Counted anew: SQS's answer may have taken long, and the turn's own writes only begin now.
    this.#hold(stepId);
  }

  passesThrough(): boolean {
    return false;
  }

  readyAt({ runId, stepId }: ResultIds): number {
    // A sibling of the result that is being delivered: nothing waits for it, so it waits for that delivery. A step that was
    // dispatched by that delivery's turn may be awaited in memory by it, so its result may not wait for ever.
    if (this.#deliveries.get(runId)?.has(stepId) === false) return Number.POSITIVE_INFINITY;
    return this.#holds.get(stepId) ?? 0;
  }

  delivering(runId: string): void {
    if (!this.#deliveries.has(runId)) this.#deliveries.set(runId, new Set());
  }

  delivered(runId: string): void {
    for (const stepId of this.#deliveries.get(runId) ?? []) this.#holds.delete(stepId);
    this.#deliveries.delete(runId);
  }

  #hold(stepId: string): void {
    this.#holds.delete(stepId);
    this.#holds.set(stepId, steadyNow() + this.#holdMs);
    this.#sweep ??= setTimeout(() => this.#forgetOld(), this.#holdMs).unref();
  }

  #forgetOld(): void {
    this.#sweep = undefined;
    const now = steadyNow();
    for (const [stepId, readyAt] of this.#holds) {
      if (readyAt > now) {
        // In the order of their times: the first that is young ends the search.
        this.#sweep = setTimeout(() => this.#forgetOld(), readyAt - now).unref();
        return;
      }
      this.#holds.delete(stepId);
    }
  }
}
