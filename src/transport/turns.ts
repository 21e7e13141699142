import type { EngineEvent } from '@dudousxd/nestjs-durable-core';

/**
 * What is known of a run's turns: a turn is one pass of the workflow's code, from a start, a timer or a result up to the point where
 * the engine has written `suspended`, `completed` or `failed`.
 *
 * A result that is handed to the engine while the turn that dispatched its step is still writing leaves the run `suspended` for
 * minutes, and two results at once make two turns that both dispatch the next step. {@link ResultOrder} asks here when a result may go.
 */
export interface Turns {
  /**
   * The engine calls `dispatch`: a turn of this run is going on.
   * @param delivering whether a result of the run is with the engine now
   */
  dispatching(step: DispatchedStep, delivering: boolean): void;
  /** SQS has accepted the task; the turn's own writes come after this. */
  dispatched(step: DispatchedStep): void;
  /** Whether a turn waits in memory for this very result: holding it back would deadlock. */
  passesThrough(result: ResultIds): boolean;
  /**
   * From when on the result may be handed over, epoch milliseconds; `Infinity` where only an event can tell.
   * @param delivering whether another result of the run is with the engine now
   */
  readyAt(result: ResultIds, delivering: boolean): number;
  /** The engine has taken a result of the run, and the turn that it caused has ended. */
  delivered(runId: string): void;
}

export interface DispatchedStep {
  readonly runId: string;
  readonly seq: number;
  readonly stepId: string;
}

export type ResultIds = DispatchedStep;

/**
 * Turns as the engine's own events tell them (`transport.attach(engine)`). What this rests on, pinned by a test:
 * - a step with `timeoutMs` is awaited in memory and emits `step.started` before its dispatch; a durable one after it
 * - a turn ends with one of `run.suspended`, `run.completed`, `run.failed` (or `run.blocked`), once its state is written
 *
 * In a fan-out (`Promise.all` over steps) the first step to be dispatched suspends the turn, while its siblings are still saving
 * their checkpoints: a turn that began now would dispatch those a second time. So where a turn has dispatched more than one step,
 * results wait until no further dispatch has come for `quietMs`.
 */
export class EventTurns implements Turns {
  readonly #turns = new Map<string, Turn>();
  readonly #onTurnEnd: (runId: string) => void;
  readonly #quietMs: number;

  constructor(onTurnEnd: (runId: string) => void, quietMs: number) {
    this.#onTurnEnd = onTurnEnd;
    this.#quietMs = quietMs;
  }

  /** Runs of which something is remembered; 0 once all have been quiet. */
  get size(): number {
    return this.#turns.size;
  }

  event({ type, runId, seq, kind }: EngineEvent): void {
    switch (type) {
      case 'run.started':
        this.#turns.set(runId, newTurn('open'));
        break;
      case 'step.started':
        // Not yet `awaited`: a control plane delivers other instances' events too, and only what is dispatched here is awaited here.
        if (kind === 'remote' && seq !== undefined && !this.#turn(runId).dispatched.has(seq)) this.#turn(runId).announced.add(seq);
        break;
      case 'run.suspended':
      case 'run.blocked':
        this.#end(runId);
        break;
      case 'run.completed':
      case 'run.failed':
        this.#forget(runId);
        this.#onTurnEnd(runId);
        break;
    }
  }

  dispatching({ runId, seq }: DispatchedStep, delivering: boolean): void {
    if (delivering && this.#turns.get(runId)?.state !== 'open') this.#turns.set(runId, newTurn('open', this.#turns.get(runId)));
    const turn = this.#turn(runId);
    (turn.announced.has(seq) ? turn.awaited : turn.dispatched).add(seq);
    turn.dispatches += 1;
    turn.lastDispatchAt = Date.now();
    if (turn.state !== 'open') this.#forgetWhenQuiet(runId, turn);
  }

  dispatched(): void {
    // The turn's end is an event; when SQS accepted the task says nothing more.
  }

  passesThrough({ runId, seq }: ResultIds): boolean {
    return this.#turns.get(runId)?.awaited.has(seq) ?? false;
  }

  readyAt({ runId }: ResultIds, delivering: boolean): number {
    if (delivering) return Number.POSITIVE_INFINITY;
    const turn = this.#turns.get(runId);
    if (turn === undefined) return 0;
    if (turn.state === 'open') return Number.POSITIVE_INFINITY;
    return turn.dispatches > 1 || turn.state === 'unknown' ? turn.lastDispatchAt + this.#quietMs : 0;
  }

  delivered(runId: string): void {
    // Some turns end without an event (a cancelled run, a store that failed): the engine's promise tells it as well.
    if (this.#turns.get(runId)?.state === 'open') this.#end(runId);
  }

  /** The turn that is known of the run, or a new one of which only this is known: a timer's, a signal's, or a straggler of a fan-out. */
  #turn(runId: string): Turn {
    let turn = this.#turns.get(runId);
    if (turn === undefined) {
      turn = newTurn('unknown');
      this.#turns.set(runId, turn);
    }
    return turn;
  }

  #end(runId: string): void {
    const turn = this.#turns.get(runId);
    if (turn !== undefined) {
      turn.state = 'ended';
      turn.awaited.clear();
      this.#forgetWhenQuiet(runId, turn);
    }
    this.#onTurnEnd(runId);
  }

  #forgetWhenQuiet(runId: string, turn: Turn): void {
    clearTimeout(turn.expiry);
    turn.expiry = setTimeout(() => {
      if (this.#turns.get(runId) === turn) this.#forget(runId);
    }, this.#quietMs).unref();
  }

  #forget(runId: string): void {
    clearTimeout(this.#turns.get(runId)?.expiry);
    this.#turns.delete(runId);
  }
}

interface Turn {
  /** `open`: its end will be an event. `unknown`: it was dispatched from, but nobody saw it begin. */
  state: 'open' | 'ended' | 'unknown';
  dispatches: number;
  /** Epoch milliseconds. */
  lastDispatchAt: number;
  /** Positions of the steps that were started before they were dispatched. */
  readonly announced: Set<number>;
  /** Positions of the durable steps that this turn has dispatched. */
  readonly dispatched: Set<number>;
  /** Positions of the steps that this turn waits for in memory. */
  readonly awaited: Set<number>;
  expiry?: NodeJS.Timeout;
}

function newTurn(state: Turn['state'], before?: Turn): Turn {
  clearTimeout(before?.expiry);
  // What was announced in between belongs to the new turn.
  return { state, dispatches: 0, lastDispatchAt: 0, announced: before?.announced ?? new Set(), dispatched: new Set(), awaited: new Set() };
}

/**
 * Turns by the clock, for a transport that is not attached: a result waits until `holdMs` past its dispatch, by when the turn will
 * have written its state; if its dispatch happened while an earlier result was with the engine, until the engine is done with that one.
 */
export class TimedTurns implements Turns {
  readonly #holdMs: number;
  /** Steps dispatched lately, oldest first. After `holdMs` an entry says nothing more and goes. */
  readonly #recent = new Map<string, RecentStep>();
  /** Of those, the ones dispatched while a result of their run was with the engine, by run. */
  readonly #duringDelivery = new Map<string, string[]>();
  #sweep: NodeJS.Timeout | undefined;

  constructor(holdMs: number) {
    this.#holdMs = holdMs;
  }

  dispatching(step: DispatchedStep, delivering: boolean): void {
    const { runId, stepId } = step;
    if (delivering) this.#duringDelivery.set(runId, [...(this.#duringDelivery.get(runId) ?? []), stepId]);
    this.#remember(stepId, { readyAt: this.#holdUntil(), delivering });
  }

  dispatched({ stepId }: DispatchedStep): void {
    // Counted anew: SQS's answer may have taken long, and the turn's own writes only begin now.
    const step = this.#recent.get(stepId);
    if (step !== undefined) this.#remember(stepId, { ...step, readyAt: this.#holdUntil() });
  }

  passesThrough(): boolean {
    return false;
  }

  readyAt({ stepId }: ResultIds, delivering: boolean): number {
    const step = this.#recent.get(stepId);
    // A sibling of the result that is being delivered: nothing waits for it, so it waits for that delivery. A step that was
    // dispatched by that delivery's turn may be awaited in memory by it, so its result may not wait for ever.
    if (delivering) return step?.delivering ? step.readyAt : Number.POSITIVE_INFINITY;
    return step?.readyAt ?? 0;
  }

  delivered(runId: string): void {
    for (const stepId of this.#duringDelivery.get(runId) ?? []) this.#recent.delete(stepId);
    this.#duringDelivery.delete(runId);
  }

  #holdUntil(): number {
    return Date.now() + this.#holdMs;
  }

  #remember(stepId: string, step: RecentStep): void {
    this.#recent.delete(stepId);
    this.#recent.set(stepId, step);
    this.#sweep ??= setTimeout(() => this.#forgetOld(), this.#holdMs).unref();
  }

  #forgetOld(): void {
    this.#sweep = undefined;
    const now = Date.now();
    for (const [stepId, { readyAt }] of this.#recent) {
      if (readyAt > now) {
        // In the order of their times: the first that is young ends the search.
        this.#sweep = setTimeout(() => this.#forgetOld(), readyAt - now).unref();
        return;
      }
      this.#recent.delete(stepId);
    }
  }
}

interface RecentStep {
  /** Epoch milliseconds. */
  readonly readyAt: number;
  /** Dispatched while a result of its run was with the engine. */
  readonly delivering: boolean;
}
