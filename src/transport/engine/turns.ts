import type { StepResult } from '../../wire/step-result.ts';

/** Which step of which run: what a task and its result have in common. */
export type StepIds = Pick<StepResult, 'runId' | 'seq' | 'stepId'>;

/**
 * What happens to a run, but for dispatches:
 * - `started`: event `run.started`
 * - `announced`: event `step.started` of a remote step
 * - `dispatched`: SQS has answered for a task of the run, or the dispatch has failed. The turn writes its state after
 *   that
 * - `suspended`: event `run.suspended` or `run.blocked`
 * - `over`: event `run.completed` or `run.failed`
 * - `answered`: the engine has answered for every result of the run that it was given, and the turns that these began
 *   are over
 */
export type Happening = 'started' | 'announced' | 'dispatched' | 'suspended' | 'over' | 'answered';

/**
 * What is known of the turns of one run. A turn is one pass of the workflow's code: from a start, a timer or a result
 * to the point where the engine has written `suspended`, `completed` or `failed`.
 *
 * The engine must be given a result between two turns. Within one, the turn's own write of `suspended` would come last,
 * and the run would sleep for minutes; and two results at once begin two turns, which both dispatch the next step.
 *
 * Neither clock nor timer in here: `now` is a moment of the steady clock.
 */
export interface Turns {
  /**
   * The engine dispatches a step: a turn is going on.
   * @param forResult a result of the run is with the engine, so this is the turn that the result began
   * @returns whether the turn waits for the step in memory
   */
  dispatching(step: StepIds, forResult: boolean, now: number): boolean;
  happened(what: Happening, now: number): void;
  /** A turn waits for the result of this position in memory. Holding it back would deadlock. */
  awaits(seq: number): boolean;
  /** From when on the engine may be given the result; `Infinity` where something has to happen first. */
  freeAt(result: StepIds, withEngine: boolean, now: number): number;
  /** From when on nothing of all this matters; `Infinity` while something is going on. */
  readonly forgetAt: number;
}
