import type { EngineEvent } from '@dudousxd/nestjs-durable-core';
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
    if (type !== 'step.started' && type !== 'step.progress') this.#refused.wrote();
    switch (type) {
      case 'run.started':
        this.#endedRuns.forget(runId);
        this.run(runId).turns.happened('started', steadyNow());
        break;
      case 'step.started':
        if (kind !== 'remote' || seq === undefined) break;
        // It waits for a result again, and that wakes it.
        this.#endedRuns.forget(runId);
        this.run(runId).turns.announced(seq, steadyNow());
        this.#lookSoon(runId);
        break;
      case 'step.completed':
      case 'step.failed':
        if (seq !== undefined) this.#recorded(runId, seq);
        break;
      case 'run.suspended':
        this.#turnEnded(runId, 'suspended');
        this.#endedRuns.suspended(runId);
        break;
      case 'run.blocked':
        this.#turnEnded(runId, 'suspended');
        break;
      case 'run.completed':
      case 'run.failed':
        this.#turnEnded(runId, 'over');
        this.#endedRuns.ended(runId);
        break;
    }
  };

  /** The engine has saved the result of a step. */
  #recorded(runId: string, seq: number): void {
    const run = this.runs.get(runId);
    if (run === undefined) return;
    for (const given of run.given) if (given.result.seq === seq) given.recorded = true;
    run.turns.recorded(seq, steadyNow());
    this.#lookSoon(runId);
  }

  #turnEnded(runId: string, how: Happening): void {
    const run = this.runs.get(runId);
    if (run === undefined) return;
    for (const given of run.given) given.turnEnded = true;
    run.turns.happened(how, steadyNow());
    this.#lookSoon(runId);
  }

  /** Not at once: an event comes from inside the engine, which is to finish first what it is doing. */
  #lookSoon(runId: string): void {
    queueMicrotask(() => {
      const run = this.runs.get(runId);
      if (run !== undefined) this.look(run);
    });
  }
}
