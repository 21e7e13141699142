import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * What began a turn: a start, a result, a decision, a signal or a cancel from outside, the transport that continues a
 * run, an operator, or a pass of the engine over its runs.
 */
export type TurnOrigin = 'start' | 'result' | 'decision' | 'outside' | 'continuation' | 'operator' | 'pass';

/**
 * One piece of an engine's work, with all that is called in the course of it. A pass has many runs, one after the
 * other.
 */
export interface Turn {
  readonly origin: TurnOrigin;
  /**
   * When it read what the run has done so far, by run id, epoch milliseconds: what was saved after that it does not
   * know.
   */
  readonly begunAt: Map<string, number>;
  /** When the store first rejected a call of it, by run id, epoch milliseconds. */
  readonly brokenAt: Map<string, number>;
  /**
   * When it released its run, by run id, epoch milliseconds. Branches of a fan-out may still be at work then: the first
   * to suspend ends the turn.
   */
  readonly endedAt: Map<string, number>;
}

const turns = new AsyncLocalStorage<Turn>();

export function asTurn<Result>(origin: TurnOrigin, act: () => Result): Result {
  return turns.run({ origin, begunAt: new Map(), brokenAt: new Map(), endedAt: new Map() }, act);
}

export function currentTurn(): Turn | undefined {
  return turns.getStore();
}
