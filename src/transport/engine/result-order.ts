import { TransportClosedError } from '../../errors.ts';
import { steadyNow, within } from '../../time.ts';
import type { Arrived, Given, GivenDecision, GivenResult, ReceivedDecision, ReceivedResult, ResultSource, Run } from './given.ts';
import { RecentIds } from './recent-ids.ts';
import type { StepIds, Turns } from './turns.ts';

/**
 * Another instance releases the run before it has written the end of its turn, and nothing here tells of that. So a
 * result whose step that instance may have dispatched waits so long after it was sent: longer than a store takes for
 * two writes, slow ones included.
 */
const OTHERS_HOLD_MS = 250;
/**
 * Steps of which it is remembered that this process dispatched them. One that is forgotten costs {@link
 * OTHERS_HOLD_MS}, no more.
 */
const REMEMBERED_STEPS = 50_000;
const NEVER = Number.POSITIVE_INFINITY;
/** A store that takes longer to read something does not answer. */
const STORE_ANSWERS_MS = 5_000;
/** A step that no run has, to ask the engine for. */
export const NO_STEP = 'durable-sqs-lambda:no-step';
/** Fits the integers of any database. */
const NO_SEQ = -2_147_483_648;

/**
 * Gives results to one engine: one at a time per run, and not before the turn that dispatched their step has ended;
 * across runs all at once. What a turn waits for in memory goes straight through.
 */
export class ResultOrder<T extends Turns> {
  protected readonly runs = new Map<string, Run<T>>();
  /**
   * A run that the store has taken, to ask it for: not that of a rejected result, whose id may be what the store
   * refuses.
   */
  protected someRunId = NO_STEP;
  /** Ids of steps that this process has dispatched and that have no result yet. */
  readonly #own = new RecentIds(REMEMBERED_STEPS);
  readonly #newTurns: () => T;
  readonly #holds: boolean;

  /** @param holds false where the engine itself sees to it that turns do not meet: then every result goes at once */
  constructor(newTurns: () => T, holds = true) {
    this.#newTurns = newTurns;
    this.#holds = holds;
  }

  /** Runs of which something is known. */
  get size(): number {
    return this.runs.size;
  }

  /**
   * The engine is about to send a task.
   * @returns whether its turn waits for the result in memory
   */
  dispatching(step: StepIds): boolean {
    const run = this.run(step.runId);
    this.#own.add(step.stepId);
    const isAwaited = run.turns.dispatching(step, run.given.size > 0, steadyNow());
    // A turn waits in memory now. Where the result that began it shuts the message group of the run, SQS would never
    // deliver what the turn waits for: so that message is deleted. The engine has saved the result, and its turn is
    // under way.
    if (isAwaited) for (const given of run.given) if (given.recorded) given.deleteEarly?.();
    return isAwaited;
  }

  /** SQS has answered for it, or it could not be sent. */
  dispatched({ runId }: StepIds): void {
    const run = this.run(runId);
    run.turns.happened('dispatched', steadyNow());
    this.look(run);
  }

  /**
   * Gives a result to the engine as soon as its run allows. Settles as the engine does.
   * @throws TransportClosedError where its source was closed before that; ResultRefusedError where its step was failed
   * in its place; AwaitedElsewhereError and NamespaceMismatchError where it is for another engine.
   */
  async give(received: ReceivedResult): Promise<void> {
    const { source, result } = received;
    const own = this.#own.delete(result.stepId);
    // From a source that is closed, too: it is waiting for the turn that waits for this.
    if (this.runs.get(result.runId)?.turns.awaits(result.seq)) return source.handler(result);
    const admission = own || source.closed ? undefined : this.admit(received);
    if (admission !== undefined) await admission;
    const given: GivenResult = { ...received, ids: result, own, recorded: false, turnEnded: false };
    await this.#give(given, () => this.handle(given));
  }

  /**
   * Gives a decision to the engine between two turns of its run. Its own turn is known to be over: the engine released
   * the run before it sent that. Settles as the engine does.
   * @throws TransportClosedError as for a result; RunLockedError where the engine has dropped it and still waits for
   * it.
   */
  async decide(received: ReceivedDecision): Promise<void> {
    const { runId, taskId } = received.decision;
    const ids = { runId, stepId: taskId, seq: NO_SEQ };
    const given: GivenDecision = { ...received, ids, own: true, recorded: false, turnEnded: false };
    await this.#give(given, () => this.handleDecision(given));
  }

  async #give(given: Given, handle: () => Promise<void>): Promise<void> {
    if (given.source.closed) throw closed();
    const { runId } = given.ids;
    const run = this.run(runId);
    // Mostly it need not wait, not even for a promise.
    const free = this.#whenFree(run, given);
    if (free !== undefined) await free;
    try {
      await handle();
      this.someRunId = runId;
    } finally {
      run.given.delete(given);
      if (run.given.size === 0) run.turns.happened('answered', steadyNow());
      this.look(run);
    }
  }

  /** Gives up what is held of a source that was closed. */
  withdraw(source: ResultSource): void {
    for (const run of this.runs.values()) {
      const withdrawn = run.held.filter(({ given }) => given.source === source);
      for (const held of withdrawn) {
        run.held.splice(run.held.indexOf(held), 1);
        held.giveUp(closed());
      }
      this.look(run);
    }
  }

  /** A transport that serves the engine is closed. */
  detach(): void {}

  /** Resolves when no turn is known to go on. */
  async turnsOver(): Promise<void> {}

  /** Resolves when nothing is left to be done for runs whose results are with the engine no more. */
  async idle(): Promise<void> {}

  /** Whether the engine's store answers. Never rejects. */
  async storeAnswers({ handler }: ResultSource): Promise<boolean> {
    return within(STORE_ANSWERS_MS, this.readStore(handler)).catch(() => false);
  }

  /** Something cheap: the engine looks for the step of a result, and drops one that belongs to none. */
  protected readStore(handler: ResultSource['handler']): Promise<void> {
    return handler({ runId: this.someRunId, seq: NO_SEQ, stepId: NO_STEP, status: 'completed' });
  }

  /** Rejects a result of a step that another instance has dispatched, and that this engine can do nothing with. */
  protected admit(_received: ReceivedResult): Promise<void> | undefined {
    return undefined;
  }

  /** Has the engine handle a result. Until this settles, no other one of its run goes. */
  protected handle({ source, result }: GivenResult): Promise<void> {
    return source.handler(result);
  }

  /** Has the engine apply a decision. Until this settles, nothing else of its run goes. */
  protected handleDecision({ source, decision }: GivenDecision): Promise<void> {
    return source.decisionHandler(decision);
  }

  /** What is known of a run. To be looked at before this turn of the event loop ends. */
  protected run(id: string): Run<T> {
    let run = this.runs.get(id);
    if (run === undefined) {
      run = { id, turns: this.#newTurns(), held: [], given: new Set(), givenAt: 0, timer: undefined, timerAt: NEVER };
      this.runs.set(id, run);
    }
    return run;
  }

  /**
   * To be called whenever something has changed: lets results go whose time has come, and forgets a run of which
   * nothing is left.
   */
  protected look(run: Run<T>): void {
    const now = steadyNow();
    let nextAt = NEVER;
    for (const held of [...run.held]) {
      const goesAt = this.#goesAt(held, run, now);
      if (goesAt > now) {
        nextAt = Math.min(nextAt, goesAt);
      } else {
        run.held.splice(run.held.indexOf(held), 1);
        this.#begin(held.given, run, now);
        held.go();
      }
    }
    if (run.held.length === 0 && run.given.size === 0) nextAt = run.turns.forgetAt;
    // A timer that fires too early does no harm: it looks, and sets the next one.
    if (nextAt > now && nextAt >= run.timerAt && nextAt !== NEVER) return;
    clearTimeout(run.timer);
    run.timerAt = NEVER;
    if (nextAt <= now && this.runs.get(run.id) === run) this.runs.delete(run.id);
    if (nextAt <= now || nextAt === NEVER) return;
    run.timerAt = nextAt;
    run.timer = setTimeout(() => {
      run.timerAt = NEVER;
      this.look(run);
    }, nextAt - now).unref();
  }

  /** Undefined where it may go now. */
  #whenFree(run: Run<T>, given: Given): Promise<void> | undefined {
    const now = steadyNow();
    // SQS's clock may be ahead of ours.
    const notBefore = given.own ? 0 : now + Math.min(given.sentAt - Date.now(), 0) + OTHERS_HOLD_MS;
    const arrived = { given, notBefore, cameAt: now };
    if (run.held.length === 0 && this.#goesAt(arrived, run, now) <= now) {
      this.#begin(given, run, now);
      return undefined;
    }
    return new Promise((go, giveUp) => {
      run.held.push({ ...arrived, go, giveUp });
      this.look(run);
    });
  }

  /** Forgets what is known of a run: what goes on for it will never end. */
  forget(runId: string): void {
    this.runs.delete(runId);
  }

  /** When a held result may go, by the steady clock; infinite where something has to happen first. */
  #goesAt({ given: { source, ids }, notBefore, cameAt }: Arrived, run: Run<T>, now: number): number {
    if (!this.#holds) return now;
    const withEngine = run.given.size > 0;
    // Whatever is known of turns. Where another one of its run is with the engine, that one gets as long: results that
    // waited for a turn whose end was never written are overdue together, and given at once each of them would begin a
    // turn.
    const latestAt = (withEngine ? Math.max(cameAt, run.givenAt) : cameAt) + source.maxHoldMs;
    return Math.min(latestAt, Math.max(notBefore, run.turns.freeAt(ids, withEngine, now)));
  }

  #begin(given: Given, run: Run<T>, now: number): void {
    run.given.add(given);
    run.givenAt = now;
  }
}

function closed(): TransportClosedError {
  return new TransportClosedError('the transport was closed before the result was given to the engine');
}
