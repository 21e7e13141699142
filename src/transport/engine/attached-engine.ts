import type { EngineEvent, EngineEventType } from '@dudousxd/nestjs-durable-core';
import type { ResultRefusedError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { steadyNow, systemTiming } from '../../time.ts';
import { type AttachableEngine, checkEngine, ExpectedEvents } from './attachable-engine.ts';
import { continueRun, restoreEnd } from './continue-run.ts';
import { EndedRuns } from './ended-runs.ts';
import { EventTurns } from './event-turns.ts';
import { ForeignNamespaces } from './foreign-namespaces.ts';
import { RefusedResults } from './refused-results.ts';
import { type GivenResult, ResultOrder } from './result-order.ts';
import type { Happening } from './turns.ts';

/** What the engine's events mean for the turns of their run. */
const HAPPENINGS: Partial<Record<EngineEventType, Happening>> = {
  'run.started': 'started',
  'run.suspended': 'suspended',
  'run.blocked': 'suspended',
  'run.completed': 'over',
  'run.failed': 'over',
};

const ENGINES = new WeakMap<AttachableEngine, AttachedEngine>();

/**
 * An engine whose events are known. Results go between two turns of their run, a run whose turn never came is continued, and one that was
 * put to sleep after its end is woken.
 *
 * All transports of the engine share it: a run's steps may go out by one and its results come in by another.
 */
export class AttachedEngine extends ResultOrder<EventTurns> {
  readonly #engine: AttachableEngine;
  readonly #endedRuns: EndedRuns;
  readonly #refused = new RefusedResults(steadyNow);
  readonly #foreignNamespaces: ForeignNamespaces;
  readonly #expectedEvents = new ExpectedEvents();
  readonly #logger: Logger;
  readonly #unsubscribe: () => void;
  #transports = 0;

  private constructor(engine: AttachableEngine, logger: Logger) {
    super(() => new EventTurns());
    this.#engine = engine;
    this.#logger = logger;
    this.#endedRuns = new EndedRuns((runId) => void restoreEnd(runId, engine, logger));
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

  /** One transport fewer serves it. The last one ends the subscription. */
  override detach(): void {
    this.#transports -= 1;
    if (this.#transports > 0) return;
    ENGINES.delete(this.#engine);
    this.#unsubscribe();
    this.#endedRuns.stop();
  }

  protected override async readStore(): Promise<void> {
    await this.#engine.getRun(this.someRunId);
  }

  /**
   * An engine that rejected a result, or died with it, may have saved it and begun no turn; the redelivered result is accepted and begins
   * none either. And where another instance is in a turn of the run, the engine saves the result, finds the run locked, and takes that
   * for success. In both cases nobody would continue the run.
   */
  protected override async handle(given: GivenResult): Promise<void> {
    const { source, result, receiveCount, own } = given;
    const { runId } = result;
    if (!own) await this.#foreignNamespaces.check(runId);
    let refused: ResultRefusedError | undefined;
    try {
      await source.handler(result);
    } catch (error) {
      refused = await this.#refused.judge(given, error);
    }
    // Asked at this moment: a step that was awaited in memory is recorded a little later.
    const turnMissing = given.recorded && !given.turnEnded;
    given.recorded = true;
    if (own && !this.#expectedEvents.isDone) this.#missEvents();
    if (turnMissing || receiveCount > 1) {
      const isWanted = () => !given.turnEnded && this.runs.get(runId)?.turns.isAwaiting !== true;
      const hasEnded = await this.#foreignNamespaces.learn(runId, continueRun(runId, this.#engine, isWanted, systemTiming));
      if (hasEnded) this.#endedRuns.ended(runId);
    }
    if (!own) this.#endedRuns.resultOfOther(runId);
    if (refused !== undefined) throw refused;
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
    // The run goes on: an operator has retried it, or it waits for a result, which will wake it.
    if (type === 'run.started' || isAnnounced) this.#endedRuns.forget(runId);
    if (type === 'run.completed' || type === 'run.failed') this.#endedRuns.ended(runId);
    if (type === 'run.suspended') this.#endedRuns.suspended(runId);

    const run = type === 'run.started' || isAnnounced ? this.run(runId) : this.runs.get(runId);
    const happening = HAPPENINGS[type];
    if (run === undefined) return;
    const now = steadyNow();
    if (happening !== undefined) run.turns.happened(happening, now);
    if (happening === 'suspended' || happening === 'over') for (const given of run.given) given.turnEnded = true;
    if (isAnnounced && seq !== undefined) run.turns.announced(seq, now);
    if ((type === 'step.completed' || type === 'step.failed') && seq !== undefined) {
      for (const given of run.given) if (given.result.seq === seq) given.recorded = true;
      run.turns.recorded(seq, now);
    }
    // Not at once: an event comes from inside the engine, which is to finish first what it is doing.
    queueMicrotask(() => this.look(run));
  };
}
