/**
 * What is known of a run's turns: a turn is one pass of the workflow's code, from a start, a timer or a result up to the point where
 * the engine has written `suspended`, `completed` or `failed`.
 *
 * A result that is handed to the engine while the turn that dispatched its step is still writing leaves the run `suspended` for
 * minutes, and two results at once make two turns that both dispatch the next step. {@link ResultOrder} asks here when a result may go.
 */
export interface Turns {
  /** The engine calls `dispatch`: a turn of this run is going on. */
  dispatching(step: DispatchedStep): void;
  /** The dispatch has settled; the turn's own writes come after this. */
  dispatched(step: DispatchedStep): void;
  /** Whether a turn waits in memory for this very result: holding it back would deadlock. */
  passesThrough(result: ResultIds): boolean;
  /** From when on the result may be handed over, by the steady clock; `Infinity` where only an event or {@link delivered} can tell. */
  readyAt(result: ResultIds): number;
  /** A result of the run goes to the engine, where it may begin a turn. */
  delivering(runId: string): void;
  /** The engine has taken every result of the run that it was given, and the turns that they began have ended. */
  delivered(runId: string): void;
}

export interface DispatchedStep {
  readonly runId: string;
  readonly seq: number;
  readonly stepId: string;
}

export type ResultIds = DispatchedStep;
