import type { EngineEvent } from '@dudousxd/nestjs-durable-core';
import { steadyNow } from '../time.ts';
import type { DispatchedStep, ResultIds, Turns } from './turns.ts';

/**
 * Turns as the engine's own events tell them (`transport.attach(engine)`). What this rests on, pinned by a test:
 * - a step with `timeoutMs` is awaited in memory and emits `step.started` before its dispatch; a durable one after it
 * - a turn ends with one of `run.suspended`, `run.completed`, `run.failed` (or `run.blocked`), once its state is written
 *
 * In a fan-out (`Promise.all` over steps) the first step to be dispatched suspends the turn, while its siblings are still saving
 * their checkpoints: a turn that began now would dispatch those a second time. So where a turn has dispatched more than one durable step,
 * results wait until no further dispatch has come for `quietMs`.
 *
 * A sibling whose checkpoint is slower than its turn's end and the worker together comes too late even so: nothing tells of it before
 * its own dispatch. The engine then dispatches it twice, under the same step id.
 */
export class EventTurns implements Turns {
  readonly #turns = new Map<string, Turn>();
  /** Runs of which a result is with the engine, and what has come of it. */
  readonly #deliveries = new Map<string, Delivery>();
  /** Runs of which a dispatch has not settled, and how many: the turn that waits for it has yet to write its state. */
  readonly #sending = new Map<string, number>();
  readonly #onTurnEnd: (runId: string) => void;
  readonly #quietMs: number;

  constructor(onTurnEnd: (runId: string) => void, quietMs: number) {
    this.#onTurnEnd = onTurnEnd;
    this.#quietMs = quietMs;
  }

  /** Runs of which something is remembered; 0 once all have been quiet. */
  get size(): number {
    return this.#turns.size + this.#deliveries.size + this.#sending.size;
  }

  event({ type, runId, seq, kind }: EngineEvent): void {
    switch (type) {
      case 'run.started':
        this.#forget(runId);
        this.#turns.set(runId, newTurn('open'));
        break;
      case 'step.started':
        if (kind === 'remote' && seq !== undefined) this.#announced(runId, seq);
        break;
      case 'step.completed':
      case 'step.failed':
        if (seq !== undefined) this.#settled(runId, seq);
        break;
      case 'run.suspended':
      case 'run.blocked':
        this.#end(runId);
        break;
      case 'run.completed':
      case 'run.failed':
        this.#forget(runId);
        this.#tellEnd(runId);
        break;
    }
  }

  dispatching({ runId, seq }: DispatchedStep): void {
    this.#sending.set(runId, (this.#sending.get(runId) ?? 0) + 1);
    const turn = this.#dispatchingTurn(runId);
    if (turn.announced?.has(seq)) {
      turn.awaited ??= new Set();
      turn.awaited.add(seq);
    } else {
      turn.dispatched.add(seq);
    }
    turn.lastDispatchAt = steadyNow();
    if (turn.state !== 'open') this.#forgetWhenQuiet(runId, turn);
  }

  dispatched({ runId }: DispatchedStep): void {
    const others = (this.#sending.get(runId) ?? 0) - 1;
    if (others > 0) this.#sending.set(runId, others);
    else this.#sending.delete(runId);
    const turn = this.#turn(runId);
    if (turn.state !== 'unknown') return;
    // Counted anew: SQS's answer may have taken long, and the turn's own writes only begin now.
    turn.lastDispatchAt = steadyNow();
    this.#forgetWhenQuiet(runId, turn);
  }

  passesThrough({ runId, seq }: ResultIds): boolean {
    return this.#turns.get(runId)?.awaited?.has(seq) ?? false;
  }

  readyAt({ runId }: ResultIds): number {
    // SQS may have the task, and the worker its result, long before our send is answered.
    if (this.#deliveries.has(runId) || this.#sending.has(runId)) return Number.POSITIVE_INFINITY;
    const turn = this.#turns.get(runId);
    if (turn === undefined) return 0;
    if (turn.state === 'open') return Number.POSITIVE_INFINITY;
    return turn.dispatched.size > 1 || turn.state === 'unknown' ? turn.lastDispatchAt + this.#quietMs : 0;
  }

  delivering(runId: string): void {
    this.#deliveries.set(runId, { settled: new Set(), turned: false });
  }

  /**
   * Whether the engine has settled the step of a result that is with it, and yet no turn came of it: where another instance is in a turn
   * of the run, the engine saves the result, finds the run locked, and takes that for success. Nobody would continue the run.
   *
   * To be asked the moment the engine's promise resolves: a step that was awaited in memory is settled a little later.
   */
  turnMissing({ runId, seq }: ResultIds): boolean {
    const delivery = this.#deliveries.get(runId);
    if (delivery === undefined || delivery.turned) return false;
    return delivery.settled.has(seq);
  }

  /** Whether the engine has settled the step of a result that is with it: it needs the message no more. */
  saved({ runId, seq }: ResultIds): boolean {
    return this.#deliveries.get(runId)?.settled.has(seq) ?? false;
  }

  /**
   * Whether the run may be resumed for the sake of a result that is with the engine: no turn of it has ended since, and none waits here
   * for a step. The engine would begin a second one beside it: its lock keeps out other instances only.
   */
  mayContinue(runId: string): boolean {
    return this.#deliveries.get(runId)?.turned === false && !this.#turns.get(runId)?.awaited?.size;
  }

  delivered(runId: string): void {
    this.#deliveries.delete(runId);
    const turn = this.#turns.get(runId);
    if (turn?.state !== 'open') return;
    // It ended without an event (a cancelled run, a store that failed), or it is a straggler, or the result was a duplicate that began
    // none, and this is a timer's turn that goes on.
    turn.state = 'unknown';
    this.#forgetWhenQuiet(runId, turn);
  }

  /** A step was started that this turn has not dispatched: it will be awaited in memory, if this instance is the one to dispatch it. */
  #announced(runId: string, seq: number): void {
    const turn = this.#turn(runId);
    if (turn.dispatched.has(seq)) return;
    // Not yet `awaited`: a control plane delivers other instances' events too.
    turn.announced ??= new Set();
    turn.announced.add(seq);
    if (turn.state !== 'open') this.#forgetWhenQuiet(runId, turn);
  }

  #settled(runId: string, seq: number): void {
    this.#deliveries.get(runId)?.settled.add(seq);
    const turn = this.#turns.get(runId);
    if (turn?.awaited?.delete(seq) && turn.state !== 'open') this.#forgetWhenQuiet(runId, turn);
  }

  #dispatchingTurn(runId: string): Turn {
    const known = this.#turns.get(runId);
    if (this.#deliveries.has(runId) && known?.state !== 'open') {
      const turn = newTurn('open', known);
      this.#turns.set(runId, turn);
      return turn;
    }
    const turn = this.#turn(runId);
    // After the end: a straggler of a fan-out, or a new turn (a timer's, a signal's) that nobody saw begin.
    if (turn.state === 'ended') turn.state = 'unknown';
    return turn;
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
      turn.awaited = undefined;
      // What other instances announced in this turn is theirs; kept, it would pass for a step that the next turn awaits.
      turn.announced = undefined;
      this.#forgetWhenQuiet(runId, turn);
    }
    this.#tellEnd(runId);
  }

  #tellEnd(runId: string): void {
    const delivery = this.#deliveries.get(runId);
    if (delivery !== undefined) delivery.turned = true;
    this.#onTurnEnd(runId);
  }

  #forgetWhenQuiet(runId: string, turn: Turn): void {
    clearTimeout(turn.expiry);
    turn.expiry = setTimeout(() => {
      if (this.#turns.get(runId) === turn && !turn.awaited?.size) this.#forget(runId);
    }, this.#quietMs).unref();
  }

  #forget(runId: string): void {
    clearTimeout(this.#turns.get(runId)?.expiry);
    this.#turns.delete(runId);
  }
}

interface Delivery {
  /** Positions of the steps that were settled since. */
  readonly settled: Set<number>;
  /** A turn has ended since. */
  turned: boolean;
}

interface Turn {
  /** `open`: its end will be an event. `unknown`: it was dispatched from, but nobody saw it begin, or nobody will see it end. */
  state: 'open' | 'ended' | 'unknown';
  /** By the steady clock. */
  lastDispatchAt: number;
  /** Positions of the steps that were started before they were dispatched. */
  announced: Set<number> | undefined;
  /** Positions of the durable steps that this turn has dispatched. */
  readonly dispatched: Set<number>;
  /** Positions of the steps that this turn waits for in memory. */
  awaited: Set<number> | undefined;
  expiry?: NodeJS.Timeout;
}

function newTurn(state: Turn['state'], before?: Turn): Turn {
  clearTimeout(before?.expiry);
  // What was announced in between belongs to the new turn.
  return { state, lastDispatchAt: 0, announced: before?.announced, dispatched: new Set(), awaited: undefined };
}
