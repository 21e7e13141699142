import type { EngineEvent, EngineEventType, WorkflowRun } from '@dudousxd/nestjs-durable-core';
import { ConfigurationError, type ResultRefusedError, RunLockedError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { steadyNow, systemTiming, within } from '../../time.ts';
import { type AttachableEngine, checkEngine, ExpectedEvents, isPollable } from './attachable-engine.ts';
import { clockOf, withBegunSleeps } from './begun-sleeps.ts';
import { tellChildEnds } from './child-ends.ts';
import { childrenStarted } from './child-starts.ts';
import { continueRun } from './continue-run.ts';
import { EarlierFailures } from './earlier-failures.ts';
import { EnginePasses } from './engine-passes.ts';
import type { EngineStore } from './engine-store.ts';
import { EventTurns } from './event-turns.ts';
import { ForeignNamespaces } from './foreign-namespaces.ts';
import { ForeignResults } from './foreign-results.ts';
import type { GivenDecision, GivenResult, ReceivedResult } from './given.ts';
import type { OpenCancels } from './lasting-cancel.ts';
import { isLateUndo } from './late-undos.ts';
import { sendLostCalls } from './lost-calls.ts';
import { asTurn } from './outlast-outage.ts';
import { PassLease } from './pass-lease.ts';
import { RefusedResults } from './refused-results.ts';
import { ResultOrder } from './result-order.ts';
import { type InstalledTurns, SingleTurns } from './single-turns.ts';
import type { Happening } from './turns.ts';

/** What the engine's events mean for the turns of their run. */
const HAPPENINGS: Partial<Record<EngineEventType, Happening>> = {
  'run.started': 'started',
  'run.suspended': 'suspended',
  'run.blocked': 'suspended',
  'run.completed': 'over',
  'run.failed': 'over',
};

/** Who goes on asking the engine about runs keeps it busy: so long is waited for it, at most. */
const ENGINE_QUIET_MS = 2_000;

const ENGINES = new WeakMap<AttachableEngine, AttachedEngine>();
/** They stay when the last transport is closed: the engine's turns go on. */
const SINGLE_TURNS = new WeakMap<AttachableEngine, InstalledTurns | undefined>();

/**
 * An engine whose events and store are known. It has one turn of a run at a time ({@link SingleTurns}), so results go
 * to it as they come, and a run whose turn never came is continued. Where its store is not found, results go between
 * two turns of their run, as its events tell.
 *
 * All transports of the engine share it: a run's steps may go out by one and its results come in by another.
 */
export class AttachedEngine extends ResultOrder<EventTurns> {
  readonly #engine: AttachableEngine;
  readonly #turns: SingleTurns | undefined;
  readonly #cancels: OpenCancels | undefined;
  readonly #store: EngineStore | undefined;
  readonly #foreignResults: ForeignResults | undefined;
  readonly #earlierFailures: EarlierFailures | undefined;
  readonly #refused = new RefusedResults(steadyNow);
  readonly #foreignNamespaces: ForeignNamespaces;
  readonly #expectedEvents = new ExpectedEvents();
  readonly #logger: Logger;
  readonly #unsubscribe: () => void;
  #transports = 0;

  private constructor(engine: AttachableEngine, logger: Logger) {
    if (!SINGLE_TURNS.has(engine)) SINGLE_TURNS.set(engine, SingleTurns.install(engine, logger, systemTiming));
    const installed = SINGLE_TURNS.get(engine);
    super(() => new EventTurns(), installed === undefined);
    this.#engine = engine;
    this.#logger = logger;
    this.#turns = installed?.turns;
    this.#store = installed?.store;
    this.#cancels = installed?.cancels;
    this.#foreignResults = installed && new ForeignResults(installed.store);
    this.#earlierFailures = installed && new EarlierFailures(installed.store);
    this.#foreignNamespaces = new ForeignNamespaces(engine);
    this.#unsubscribe = engine.subscribe(this.#heard);
  }

  /**
   * One more transport serves the engine.
   * @throws ConfigurationError for what is no engine, or lacks a method.
   */
  static attach(engine: AttachableEngine, logger: Logger): AttachedEngine {
    checkEngine(engine);
    const attached = ENGINES.get(engine) ?? new AttachedEngine(engine, logger);
    ENGINES.set(engine, attached);
    attached.#transports += 1;
    return attached;
  }

  /**
   * The engine's passes over its runs, which no instance runs yet.
   * @throws ConfigurationError for an engine that has none.
   */
  passes(): EnginePasses {
    const engine = this.#engine;
    if (!isPollable(engine)) {
      throw new ConfigurationError(
        'SqsTransport.attach: expected an engine with runPending, recoverIncomplete, resumeDueTimers and sweepTimeouts beside poll: true',
      );
    }
    const [store, namespace] = [this.#store?.store, this.#store?.namespace];
    const signalled = { signal: async (token: string, payload: unknown) => engine.signal?.(token, payload) };
    return new EnginePasses({
      engine,
      tellChildEnds: store && (() => tellChildEnds(signalled, store)),
      lease: store && new PassLease(store, namespace),
      logger: this.#logger,
      timing: systemTiming,
    });
  }

  /** One transport fewer serves it. The last one ends the subscription. */
  override detach(): void {
    this.#transports -= 1;
    if (this.#transports > 0) return;
    ENGINES.delete(this.#engine);
    this.#unsubscribe();
  }

  /**
   * Resolves when no turn goes on here, and none begins: a run that is being locked has none yet, so the engine's own
   * `drain` does not wait for it.
   */
  override async turnsOver(): Promise<void> {
    if (this.#store === undefined || this.#turns === undefined) return;
    do await within(ENGINE_QUIET_MS, this.#store.idle());
    while (await this.#turns.over());
  }

  /**
   * Resolves when no turn is due that the engine itself would not begin, each cancel lasts, and the engine has done
   * what it began.
   */
  override async idle(): Promise<void> {
    await Promise.all([this.#turns?.idle(), this.#cancels?.last()]);
    if (this.#store !== undefined) await within(ENGINE_QUIET_MS, this.#store.idle());
  }

  /** Resolves when no turn can write over the cancel of the run any more. */
  async cancelLasts(runId: string): Promise<void> {
    await this.#cancels?.lasts(runId);
  }

  /**
   * Resolves when no turn of the run is going on here, and none is due.
   * @throws RunLockedError where another instance held the run for longer than a lease
   */
  async settled(runId: string): Promise<void> {
    await this.#turns?.settled(runId);
  }

  override forget(runId: string): void {
    super.forget(runId);
    this.#turns?.forget(runId);
  }

  /** The store will never answer what it is asked of the run: the invocation that asked is over. */
  forgetCalls(runId: string): void {
    this.#store?.forget(runId);
  }

  protected override async readStore(): Promise<void> {
    await this.#engine.getRun(this.someRunId);
  }

  protected override async admit({ result }: ReceivedResult): Promise<void> {
    await this.#foreignNamespaces.check(result.runId);
    await this.#foreignResults?.check(result);
  }

  /**
   * An engine that rejected a result, or died with it, may have saved it and begun no turn; the redelivered result is
   * accepted and begins none either. And where another instance is in a turn of the run, the engine saves the result,
   * finds the run locked, and takes that for success. In both cases nobody would continue the run.
   */
  protected override async handle(given: GivenResult): Promise<void> {
    const { source, result, receiveCount, own } = given;
    const { runId } = result;
    if (await this.#earlierFailures?.includes(result)) return;
    let refused: ResultRefusedError | undefined;
    try {
      await source.handler(result);
    } catch (error) {
      refused = await this.#refused.judge(given, error);
    }
    // An engine that died had saved it, and a turn goes on here that may have read the run before.
    if (receiveCount > 1 && !given.recorded) this.#turns?.again(runId);
    // The engine has saved the result. Its turn may follow the one that is going on, or wait for another instance.
    await this.#turns?.settled(runId);
    // Asked at this moment: a step that was awaited in memory is recorded a little later.
    const turnMissing = given.recorded && !given.turnEnded;
    given.recorded = true;
    if (own && !this.#expectedEvents.isDone) this.#missEvents();
    if (turnMissing || receiveCount > 1) {
      const isWanted = () => !given.turnEnded && this.runs.get(runId)?.turns.isAwaiting !== true;
      const isUndoing = async (run: Pick<WorkflowRun, 'error'>) =>
        isLateUndo(result, run, (await this.#store?.store.listCheckpoints(runId)) ?? []);
      await this.#foreignNamespaces.learn(runId, continueRun(runId, this.#engine, { isWanted, isUndoing }, systemTiming));
    }
    if (refused !== undefined) throw refused;
  }

  /**
   * The engine drops a decision while another instance holds the run's lock, and says nothing. It still waits for the
   * decision then, and would wait for ever. And where it rejected one half-way, or died with it, it no longer waits for
   * the decision, and nothing wakes the run.
   */
  protected override async handleDecision(given: GivenDecision): Promise<void> {
    const { source, decision, receiveCount } = given;
    const { runId, taskId } = decision;
    // A store that fails half-way would lose what the engine has already taken: a buffered signal.
    const store = this.#store?.store;
    const applied = store === undefined ? decision : await withBegunSleeps(decision, store, clockOf(this.#engine));
    const apply = () =>
      asTurn(runId, async () => {
        if (this.#store !== undefined) await sendLostCalls(decision, this.#engine, this.#store);
        await source.decisionHandler(applied);
      });
    await (this.#turns === undefined ? apply() : this.#turns.between(runId, apply));
    await childrenStarted(decision, this.#engine, systemTiming);
    // A signal that was there before its wait begins a turn with a timer.
    if (decision.commands.some(({ kind }) => kind === 'waitSignal')) await systemTiming.sleep(1);
    await this.#turns?.settled(runId);
    if (given.turnEnded) return;
    const run = await this.#engine.getRun(runId);
    if (run === null || run.status !== 'suspended') return;
    if (run.awaitingDecisionTaskId === taskId) throw new RunLockedError(runId);
    if (receiveCount > 1 && run.awaitingDecisionTaskId === undefined && (await this.#isForgotten(runId, run.wakeAt))) {
      await this.#engine.resume(runId);
    }
  }

  /**
   * Whether nothing is under way that would wake the run but the engine's `reconcileMs`, minutes later: an engine died
   * after it had taken the decision. A run that sleeps is left alone, its sleep would begin anew.
   */
  async #isForgotten(runId: string, wakeAt: number | undefined): Promise<boolean> {
    if (wakeAt === undefined) return true;
    const checkpoints = await this.#store?.store.listCheckpoints(runId);
    return checkpoints?.every(({ status }) => status !== 'pending') ?? false;
  }

  #missEvents(): void {
    const missing = this.#expectedEvents.accepted();
    if (missing !== undefined) this.#logger.error(missing, {});
  }

  readonly #heard = ({ type, runId, seq, kind }: EngineEvent): void => {
    this.someRunId = runId;
    if (!this.#expectedEvents.isDone) this.#expectedEvents.heard(type);
    if (type !== 'step.started' && type !== 'step.progress') this.#refused.writes += 1;
    const isAnnounced = type === 'step.started' && kind === 'remote';

    const run = type === 'run.started' || isAnnounced ? this.run(runId) : this.runs.get(runId);
    const happening = HAPPENINGS[type];
    if (run === undefined) return;
    const now = steadyNow();
    if (happening !== undefined) run.turns.happened(happening, now);
    if (happening === 'suspended' || happening === 'over') for (const given of run.given) given.turnEnded = true;
    if (isAnnounced && seq !== undefined) run.turns.announced(seq, now);
    if ((type === 'step.completed' || type === 'step.failed') && seq !== undefined) {
      for (const given of run.given) if (given.ids.seq === seq) given.recorded = true;
      run.turns.recorded(seq, now);
    }
    // Not at once: an event comes from inside the engine, which is to finish first what it is doing.
    queueMicrotask(() => this.look(run));
  };
}
