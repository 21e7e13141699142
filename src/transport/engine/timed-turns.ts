import type { Happening, StepIds, Turns } from './turns.ts';

/**
 * Turns by the clock, for a transport that is not attached: a result waits until `holdMs` past the latest dispatch of
 * its run. By then the turn has written its state. What a result's turn dispatches waits until the engine has answered
 * for that result, `holdMs` at most: the turn may be waiting for it in memory.
 */
export class TimedTurns implements Turns {
  readonly #holdMs: number;
  #heldUntil = 0;
  /** Ids of the steps that were dispatched while the engine had a result of this run. */
  readonly #dispatchedForResult = new Set<string>();

  constructor(holdMs: number) {
    this.#holdMs = holdMs;
  }

  dispatching({ stepId }: StepIds, forResult: boolean, now: number): boolean {
    if (forResult) this.#dispatchedForResult.add(stepId);
    this.#heldUntil = now + this.#holdMs;
    return false;
  }

  happened(what: Happening, now: number): void {
    if (what === 'dispatched') {
      // Counted anew: SQS may have taken long to answer, and the turn writes its state only now.
      this.#heldUntil = now + this.#holdMs;
    } else if (what === 'answered') {
      this.#dispatchedForResult.clear();
      this.#heldUntil = 0;
    }
  }

  awaits(): boolean {
    return false;
  }

  freeAt({ stepId }: StepIds, withEngine: boolean): number {
    // A sibling of the result that is with the engine. No turn waits for it in memory, so it can wait for that result.
    if (withEngine && !this.#dispatchedForResult.has(stepId)) return Number.POSITIVE_INFINITY;
    return this.#heldUntil;
  }

  get forgetAt(): number {
    return this.#heldUntil;
  }
}
