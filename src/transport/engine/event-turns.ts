import type { Happening, StepIds, Turns } from './turns.ts';

/** How long nothing must be heard of a run: longer than a store takes to save a checkpoint, its slow calls included. */
const QUIET_MS = 250;

/**
 * - `none`: no turn is known of
 * - `running`: a turn is going on, and an event will tell its end
 * - `unseen`: steps were dispatched, but nobody saw their turn begin (a timer's, a signal's), or nobody will see it end
 * - `ended`: the turn's state is written. Siblings of a fan-out may still be on their way to their dispatch
 */
type Mode = 'none' | 'running' | 'unseen' | 'ended';

/**
 * What happens to a run, and besides:
 * - `dispatching`: a dispatch while no result of the run is with the engine; `dispatchingForResult`: while one is
 * - `quiet`: nothing was heard of the run for 250 ms, and no turn of it waits for a step in memory
 */
type Cause = Happening | 'dispatching' | 'dispatchingForResult' | 'quiet';

/**
 * The turns of a run, as the engine's events and its dispatches tell them.
 *
 * | mode      | a result of the run may go to the engine                                | it ends by
 * |
 * | --------- | ----------------------------------------------------------------------- |
 * ---------------------------------------- |
 * | `none`    | at once                                                                 | run.started, a dispatch, an
 * announcement |
 * | `running` | no; only what the turn waits for in memory                              | suspended, over, answered
 * |
 * | `unseen`  | 250 ms after SQS has answered for the latest dispatch                   | suspended, over, quiet
 * |
 * | `ended`   | at once; after more than one dispatch, 250 ms after the latest one      | over, quiet, a dispatch
 * |
 *
 * In each of them a result waits, too, while SQS has not answered for a dispatch of the run (the worker may have the
 * task long before we have the answer) and while another result of the run is with the engine.
 */
export const NEXT: Readonly<Record<Mode, Readonly<Record<Cause, Mode>>>> = {
  none: {
    started: 'running',
    announced: 'unseen',
    dispatching: 'unseen',
    dispatchingForResult: 'running',
    dispatched: 'unseen',
    suspended: 'none',
    over: 'none',
    answered: 'none',
    quiet: 'none',
  },
  running: {
    started: 'running',
    announced: 'running',
    dispatching: 'running',
    dispatchingForResult: 'running',
    dispatched: 'running',
    suspended: 'ended',
    over: 'none',
    // It ended without an event (the run was cancelled, the store failed); or the result was a duplicate that began no
    // turn, and this is a timer's turn that goes on.
    answered: 'unseen',
    quiet: 'running',
  },
  unseen: {
    started: 'running',
    announced: 'unseen',
    dispatching: 'unseen',
    dispatchingForResult: 'running',
    dispatched: 'unseen',
    suspended: 'ended',
    over: 'none',
    answered: 'unseen',
    quiet: 'none',
  },
  ended: {
    started: 'running',
    announced: 'ended',
    // A straggler of a fan-out, or a turn of a timer or signal that nobody saw begin.
    dispatching: 'unseen',
    dispatchingForResult: 'running',
    dispatched: 'ended',
    suspended: 'ended',
    over: 'none',
    answered: 'ended',
    quiet: 'none',
  },
};

/**
 * Turns as the engine's own events tell them (`transport.attach(engine)`). This rests on two things, which a test pins:
 * - A step with `timeoutMs` is awaited in memory and emits `step.started` before its dispatch; a durable step emits it
 *   after.
 * - A turn ends with one of `run.suspended`, `run.completed`, `run.failed` and `run.blocked`, once its state is
 *   written.
 *
 * In a fan-out (`Promise.all` over steps) the first step to be dispatched suspends the turn while its siblings are
 * still saving their checkpoints. A turn that began now would dispatch those a second time. So after a turn of more
 * than one durable dispatch, results wait until none has come for 250 ms. A sibling whose checkpoint takes longer than
 * that comes too late all the same, because nothing tells of it before its own dispatch. The engine then dispatches it
 * twice, under one step id.
 */
export class EventTurns implements Turns {
  #mode: Mode = 'none';
  /** Dispatches that SQS has not answered for. */
  #sending = 0;
  #latestDispatchAt = 0;
  /** When something was heard of the run. */
  #heardAt = 0;
  /** Positions of the durable steps that this turn has dispatched. */
  readonly #dispatched = new Set<number>();
  /**
   * Positions of the steps that were started before they were dispatched. They are awaited in memory, if it is here
   * that they are dispatched: a control plane delivers the events of other instances, too.
   */
  readonly #announced = new Set<number>();
  /** Positions of the steps that this turn waits for in memory. */
  readonly #awaited = new Set<number>();

  dispatching({ seq }: StepIds, forResult: boolean, now: number): boolean {
    this.#move(forResult ? 'dispatchingForResult' : 'dispatching', now);
    this.#sending += 1;
    this.#latestDispatchAt = now;
    const isAwaited = this.#announced.has(seq);
    (isAwaited ? this.#awaited : this.#dispatched).add(seq);
    return isAwaited;
  }

  happened(what: Happening, now: number): void {
    this.#move(what, now);
    if (what === 'dispatched') this.#sending -= 1;
    // Counted anew: SQS may have taken long to answer, and the turn writes its state only now.
    if (what === 'dispatched' && this.#mode === 'unseen') this.#latestDispatchAt = now;
  }

  /** A remote step emitted `step.started`. */
  announced(seq: number, now: number): void {
    this.#move('announced', now);
    if (!this.#dispatched.has(seq)) this.#announced.add(seq);
  }

  /** The engine has saved the result of this position. */
  recorded(seq: number, now: number): void {
    if (this.#awaited.delete(seq)) this.#heardAt = now;
  }

  awaits(seq: number): boolean {
    return this.#awaited.has(seq);
  }

  /** A turn of the run waits for a step in memory. */
  get isAwaiting(): boolean {
    return this.#awaited.size > 0;
  }

  freeAt(_result: StepIds, withEngine: boolean, now: number): number {
    if (withEngine || this.#sending > 0) return Number.POSITIVE_INFINITY;
    if (this.forgetAt <= now) return 0;
    if (this.#mode === 'running') return Number.POSITIVE_INFINITY;
    return this.#mode === 'unseen' || this.#dispatched.size > 1 ? this.#latestDispatchAt + QUIET_MS : 0;
  }

  get forgetAt(): number {
    if (this.#sending > 0 || this.#mode === 'running' || this.#awaited.size > 0) return Number.POSITIVE_INFINITY;
    return this.#mode === 'none' ? 0 : this.#heardAt + QUIET_MS;
  }

  /** The only place where the mode changes. */
  #move(cause: Cause, now: number): void {
    if (now >= this.#heardAt + QUIET_MS && this.#awaited.size === 0) this.#mode = NEXT[this.#mode].quiet;
    const before = this.#mode;
    this.#mode = NEXT[before][cause];
    this.#heardAt = now;
    const isUnknown = before === 'none' || this.#mode === 'none';
    const isAnotherTurn = cause === 'started' || (before !== 'running' && this.#mode === 'running');
    if (isUnknown || isAnotherTurn) this.#dispatched.clear();
    if (isUnknown || isAnotherTurn || cause === 'suspended') this.#awaited.clear();
    // What other instances announced in a turn is theirs. Kept past its end, it would pass for a step that the next
    // turn awaits. But what was announced since belongs to that turn.
    if (isUnknown || cause === 'started' || cause === 'suspended') this.#announced.clear();
  }
}
