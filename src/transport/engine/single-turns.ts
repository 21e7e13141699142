import { RunLockedError } from '../../errors.ts';
import { errorFields, type Logger } from '../../logger.ts';
import { backoffMs } from '../../sqs/retry.ts';
import { type Timing, within } from '../../time.ts';
import type { AttachableEngine } from './attachable-engine.ts';
import { isNamespaceMismatch } from './continue-run.ts';
import { LOCK_FREE_MS } from './engine-lease.ts';
import { EngineStore, type StoreListener } from './engine-store.ts';
import { installLastingCancel, type OpenCancels } from './lasting-cancel.ts';
import { asTurn } from './outlast-outage.ts';
import { installStableUndos } from './stable-undos.ts';

/**
 * What goes on for a run in this process. A run that is not known here has no turn here.
 * - `turning`: a turn is going on. Nothing has happened to the run since it began
 * - `turning, again`: a turn is going on, and something has happened that it may not have seen
 * - `waiting`: a turn is due, and another instance holds the run, or the store has failed
 */
type State = 'turning' | 'turning, again' | 'waiting';

interface ActiveRun {
  state: State;
  /** Of the turn that is going on: another instance held the run, and nothing was written of it here. */
  lockRefused: boolean;
  statusWritten: boolean;
  /** Of the turn that is going on: the engine has read the run while its lock was held. */
  readAsLocked: boolean;
  /** Ends the wait. */
  wake: () => void;
  /** Settles when no turn is going on and none is due. */
  readonly over: Promise<void>;
}

/** A turn ran and its end is written; another instance held the run; or it failed. */
type Outcome = { readonly kind: 'ran' | 'refused'; readonly result: unknown } | { readonly kind: 'failed'; readonly error: unknown };

const WAIT = { firstMs: 20, maxMs: 1_000 };
/** So often in a row a turn is tried again that failed: for six seconds, in which a store restarts. */
const MOST_FAILURES = 10;

export interface InstalledTurns {
  readonly turns: SingleTurns;
  readonly store: EngineStore;
  readonly cancels: OpenCancels;
}

/**
 * One turn of a run at a time, in this process and in all that share its store; and no turn that is due is lost.
 *
 * Whatever wakes a run (a result, a signal, the end of a child, a timer, an operator), the engine calls its own
 * `resume`. Where another instance holds the run, that gives up silently, and nobody would continue the run. Where this
 * instance holds it, a second turn begins beside the first. So `resume` is replaced: there is one turn at a time, and
 * one more for what has happened meanwhile. {@link EngineStore} sees to it that the lock of the run lasts until the
 * turn is written.
 */
export class SingleTurns implements StoreListener {
  readonly #resume: AttachableEngine['resume'];
  readonly #active = new Map<string, ActiveRun>();
  readonly #logger: Logger;
  readonly #timing: Timing;

  private constructor(engine: AttachableEngine, logger: Logger, timing: Timing) {
    this.#resume = engine.resume.bind(engine);
    this.#logger = logger;
    this.#timing = timing;
  }

  /** Once for each engine, for its whole life. Undefined where its store is not found. */
  static install(engine: AttachableEngine, logger: Logger, timing: Timing): InstalledTurns | undefined {
    const turns = new SingleTurns(engine, logger, timing);
    const store = EngineStore.install(engine, turns);
    if (store === undefined) return undefined;
    engine.resume = (runId) => turns.resume(runId);
    installStableUndos(engine);
    return { turns, store, cancels: installLastingCancel(engine, store.store, timing) };
  }

  /**
   * Begins a turn. Where one is going on, another one follows it; that is not waited for, since a workflow may signal
   * itself. Settles as the engine's own.
   */
  resume(runId: string): Promise<unknown> {
    const active = this.#active.get(runId);
    if (active === undefined) return this.#begin(runId, (begun) => this.#turn(runId, begun));
    this.again(runId);
    active.wake();
    return Promise.resolve({ runId, status: 'running' });
  }

  /** Something has happened that a turn which goes on may not have seen: another one follows it. */
  again(runId: string): void {
    const active = this.#active.get(runId);
    if (active !== undefined && active.state !== 'waiting') active.state = 'turning, again';
  }

  /**
   * Acts while no turn of the run goes on here, and none begins. One that becomes due meanwhile follows. Settles as the
   * act.
   * @throws RunLockedError as {@link settled}
   */
  async between(runId: string, act: () => Promise<void>): Promise<void> {
    while (this.#active.has(runId)) await this.settled(runId);
    await this.#begin(runId, async () => {
      try {
        return { kind: 'ran', result: await act() };
      } catch (error) {
        return { kind: 'failed', error };
      }
    });
  }

  /**
   * Resolves when no turn of the run is going on here, and none is due.
   * @throws RunLockedError where another instance held the run for longer than a lease.
   */
  async settled(runId: string): Promise<void> {
    for (let active = this.#active.get(runId); active !== undefined; ) {
      if (await within(LOCK_FREE_MS, active.over)) return;
      // A turn may take as long as a step that it awaits in memory.
      if (active.state === 'waiting') throw new RunLockedError(runId);
    }
  }

  /**
   * Forgets the turn of a run that will never end: its invocation is over, and the store answers it no more. The next
   * one begins beside what is left of it.
   */
  forget(runId: string): void {
    this.#active.delete(runId);
  }

  /** Resolves when the turns that go on or are due now are over, with whether there were any. */
  async over(): Promise<boolean> {
    const active = [...this.#active.values()];
    await Promise.all(active.map(({ over }) => over));
    return active.length > 0;
  }

  /** Resolves when no turn is due. */
  async idle(): Promise<void> {
    while (this.#due.length > 0) await Promise.race(this.#due.map(({ over }) => over));
  }

  lockRefused(runId: string): void {
    const active = this.#active.get(runId);
    if (active !== undefined) active.lockRefused = true;
  }

  statusWritten(runId: string): void {
    const active = this.#active.get(runId);
    if (active !== undefined) active.statusWritten = true;
  }

  readAsLocked(runId: string): void {
    const active = this.#active.get(runId);
    if (active !== undefined) active.readAsLocked = true;
  }

  mayHaveEnded(runId: string): boolean {
    return this.#active.get(runId)?.readAsLocked === true;
  }

  get #due(): ActiveRun[] {
    return [...this.#active.values()].filter(({ state }) => state !== 'turning');
  }

  async #begin(runId: string, turn: (active: ActiveRun) => Promise<Outcome>): Promise<unknown> {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const active: ActiveRun = { state: 'turning', lockRefused: false, statusWritten: false, readAsLocked: false, wake: () => {}, over };
    const end = () => {
      if (this.#active.get(runId) === active) this.#active.delete(runId);
      resolve();
    };
    this.#active.set(runId, active);
    const outcome = await turn(active);
    if (isLast(outcome, active)) end();
    else void this.#follow(runId, active, outcome).then(end);
    if (outcome.kind === 'failed') throw outcome.error;
    return outcome.result;
  }

  /** Has turn follow turn, for as long as one is due. */
  async #follow(runId: string, active: ActiveRun, first: Outcome): Promise<void> {
    let [tries, failures] = [0, 0];
    for (let outcome = first; !isLast(outcome, active); outcome = await this.#turn(runId, active)) {
      if (outcome.kind === 'failed') {
        failures += 1;
        if (isNamespaceMismatch(outcome.error)) return;
        if (failures > MOST_FAILURES) {
          this.#logger.warn("a run sleeps until the engine's reconcileMs: its turn failed", { runId, ...errorFields(outcome.error) });
          return;
        }
      } else {
        failures = 0;
      }
      if (outcome.kind === 'ran') {
        tries = 0;
      } else {
        tries += 1;
        await this.#wait(active, tries);
      }
    }
  }

  async #turn(runId: string, active: ActiveRun): Promise<Outcome> {
    Object.assign(active, { state: 'turning', lockRefused: false, statusWritten: false, readAsLocked: false });
    try {
      const result = await asTurn(runId, () => this.#resume(runId));
      // A pass of the engine over all runs asks for the lock, too, while the turn has it.
      return { kind: active.lockRefused && !active.statusWritten ? 'refused' : 'ran', result };
    } catch (error) {
      return { kind: 'failed', error };
    }
  }

  async #wait(active: ActiveRun, tries: number): Promise<void> {
    active.state = 'waiting';
    const woken = new AbortController();
    active.wake = () => woken.abort();
    await this.#timing.sleep(backoffMs(tries, WAIT, this.#timing.random), woken.signal);
    active.wake = () => {};
  }
}

function isLast({ kind }: Outcome, { state }: ActiveRun): boolean {
  return kind === 'ran' && state === 'turning';
}
