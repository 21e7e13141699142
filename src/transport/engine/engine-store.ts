import type { RunStatus, StateStore, StepCheckpoint, WorkflowRun } from '@dudousxd/nestjs-durable-core';
import { systemTiming } from '../../time.ts';
import { isRecord } from '../../wire/shape.ts';
import { ENGINE_LEASE_MS } from './engine-lease.ts';
import { withTimerKept } from './gated-runs.ts';
import { OpenCalls } from './open-calls.ts';
import { type AskedStore, isInTurn, outlastOutage } from './outlast-outage.ts';
import { PassLists } from './pass-lists.ts';
import { RedispatchDeadline, redispatchMsOf } from './redispatch-deadline.ts';
import { storeForRepeats } from './repeats.ts';
import { replaceStore } from './replace-store.ts';
import { withoutStalePause } from './stale-pause.ts';

/** Told of what the engine's store is asked. */
export interface StoreListener {
  /** Another instance holds the lock of the run. */
  lockRefused(runId: string): void;
  /** The engine writes a state of the run. */
  statusWritten(runId: string): void;
  /** The engine has read the run while its lock was held. */
  readAsLocked(runId: string): void;
  /** Whether it has, for the turn that it begins now: another instance had the lock, and may have ended the run. */
  mayHaveEnded(runId: string): boolean;
}

/** The engine resumes none of these. A failed run it does: what comes late may have to be undone. */
const OVER: ReadonlySet<unknown> = new Set<RunStatus>(['completed', 'cancelled', 'dead']);
/** What no pass over suspended runs is to begin anew. */
const TERMINAL: ReadonlySet<unknown> = new Set<unknown>([...OVER, 'failed']);
/** With these a turn ends its run. A cancel may be written beside a turn, which still writes `suspended`. */
const ENDS_BY_TURN: ReadonlySet<unknown> = new Set<RunStatus>(['completed', 'failed']);
/** The owner of the lock of a run that is recovered. */
const RECOVERY = 'durable-sqs-lambda:recovery';
/** To ask the store for. */
const NO_RUN = 'durable-sqs-lambda:no-run';

/**
 * The store of an engine, in which a run's lock is released only when all of the turn is written. And in a turn it
 * outlasts a short outage ({@link outlastOutage}).
 *
 * The engine releases the lock while it is still writing `suspended`: its `runExecution` returns `this.settleRun(…)`
 * without awaiting it, and releases in `finally`. Another instance takes the run in between, and the late `suspended`
 * lands on top of what it has written. So does the checkpoint of a step in a fan-out: the first of its steps to be
 * dispatched ends the turn. `test/postgres/engine-faults.ts` shows it.
 *
 * Where the engine keeps no store, nothing is replaced.
 */
export class EngineStore {
  /** The store itself. */
  readonly store: StateStore;
  readonly #repeats: StateStore;
  /** Whose runs the engine's passes see; undefined for all. */
  readonly namespace: string | undefined;
  readonly #asked: AskedStore;
  readonly #listener: StoreListener;
  readonly #calls = new OpenCalls();
  readonly #passes = new PassLists();
  readonly deadline: RedispatchDeadline;

  private constructor(store: StateStore, engine: object, listener: StoreListener) {
    this.store = store;
    this.#repeats = storeForRepeats(store);
    this.deadline = new RedispatchDeadline(() => redispatchMsOf(engine));
    this.#asked = { ask: () => store.getRun(NO_RUN), timing: systemTiming };
    const namespace: unknown = Reflect.get(engine, 'namespace');
    this.namespace = typeof namespace === 'string' ? namespace : undefined;
    this.#listener = listener;
  }

  /** Takes the place of the engine's store. Undefined where the engine keeps none where it is looked for. */
  static install(engine: object, listener: StoreListener): EngineStore | undefined {
    const store: unknown = Reflect.get(engine, 'store');
    if (!isStore(store)) return undefined;
    const installed = new EngineStore(store, engine, listener);
    replaceStore(engine, store, installed.#proxy());
    return installed;
  }

  /**
   * Resolves when the engine asks for nothing more. It does some of its work without waiting for it: it tells a parent
   * of its child's end when that is written, and a process that ends before leaves the parent asleep.
   */
  idle(): Promise<void> {
    return this.#calls.idle();
  }

  /** Forgets the calls on a run that the store will never answer: their invocation is over. */
  forget(runId: string): void {
    this.#calls.forget(runId);
  }

  #proxy(): StateStore {
    const { store } = this;
    const own: Partial<StateStore> = {
      updateRun: (runId, patch) => {
        if (isRecovery(patch)) return this.#open(() => this.#recovered(runId, patch));
        if (patch.status !== undefined) this.#listener.statusWritten(runId);
        return this.#counted(runId, (store) => store.updateRun(runId, withTimerKept(patch)), ENDS_BY_TURN.has(patch.status));
      },
      createRun: (run) => this.#counted(run.id, (store) => store.createRun(run)),
      putSignalWaiter: (waiter) => this.#counted(waiter.runId, (store) => store.putSignalWaiter(waiter)),
      takeSignalWaiter: (token) => this.#counted(NO_RUN, (store) => store.takeSignalWaiter(token)),
      bufferSignal: (token, payload) => this.#counted(NO_RUN, (store) => store.bufferSignal(token, payload)),
      listPendingRuns: async (limit, namespace) => {
        const runs = await store.listPendingRuns(limit, namespace);
        this.#passes.read(runs);
        return runs;
      },
      listIncompleteRuns: async (namespace) => {
        const runs = await store.listIncompleteRuns(namespace);
        this.#passes.read(runs);
        return runs;
      },
      listDueTimers: async (nowMs, namespace) => {
        const runs = await store.listDueTimers(nowMs, namespace);
        this.#passes.read(runs);
        return runs;
      },
      tryLockRun: (...args) => this.#open(() => this.#lock(...args)),
      releaseRunLock: (runId) => this.#open(() => this.#release(runId)),
      getRun: (runId) => this.#counted(runId, (store) => store.getRun(runId).then(this.#readRun)),
      getCheckpoint: (runId, seq) => this.#counted(runId, (store) => store.getCheckpoint(runId, seq).then((one) => one && this.#read(one))),
      listCheckpoints: (runId) => this.#counted(runId, (store) => store.listCheckpoints(runId).then((all) => all.map(this.#readInTurn))),
      saveCheckpoint: (checkpoint) => this.#counted(checkpoint.runId, (store) => store.saveCheckpoint(this.deadline.written(checkpoint))),
    };
    const outlasting = (call: (store: StateStore) => Promise<unknown>) => this.#counted(NO_RUN, call);
    const others = new Proxy(store, {
      get(target, property) {
        const member: unknown = Reflect.get(target, property);
        if (typeof member !== 'function') return member;
        if (!IN_TURNS.has(property)) return member.bind(target);
        return (...args: unknown[]) => outlasting(async (asked) => Reflect.apply(Reflect.get(asked, property), asked, args));
      },
    });
    return Object.assign(Object.create(others), own);
  }

  readonly #read = (checkpoint: StepCheckpoint): StepCheckpoint => this.deadline.read(withoutStalePause(checkpoint));

  readonly #readInTurn = (checkpoint: StepCheckpoint): StepCheckpoint => this.deadline.readInTurn(withoutStalePause(checkpoint));

  readonly #readRun = (run: WorkflowRun | null): WorkflowRun | null => {
    if (typeof run?.lockedUntil === 'number') this.#listener.readAsLocked(run.id);
    return run;
  };

  /** No async function: the engine makes seventeen calls a step. */
  #counted<T>(runId: string, call: (store: StateStore) => Promise<T>, isEnd = false): Promise<T> {
    const close = this.#calls.begin(runId);
    const answered = outlastOutage((isRepeat) => call(isRepeat ? this.#repeats : this.store), this.#asked, close);
    if (isEnd) this.#calls.ending(runId, answered);
    return answered;
  }

  /** Counted for {@link idle} only: a release waits for the calls of its run, and a lock is not asked for twice. */
  async #open<T>(call: () => Promise<T>): Promise<T> {
    const close = this.#calls.begin(NO_RUN);
    try {
      return await call();
    } finally {
      close();
    }
  }

  /**
   * A run may have ended since the engine has read it: in the turn of another instance, or while a pass worked off the
   * list that it had read at its beginning ({@link PassLists}). The engine would begin it anew, and tell of its end
   * twice.
   */
  async #lock(runId: string, owner: string, leaseUntilMs: number, nowMs: number): Promise<boolean> {
    const staleMs = this.#passes.staleMs(runId, nowMs);
    if (!(await this.store.tryLockRun(runId, owner, leaseUntilMs + staleMs, nowMs + staleMs))) {
      this.#listener.lockRefused(runId);
      return false;
    }
    const isPass = !isInTurn(runId) && this.#passes.isListed(runId);
    if (!isPass && !this.#listener.mayHaveEnded(runId)) return true;
    const over = isPass ? TERMINAL : OVER;
    const mayBegin = outlastOutage(() => this.store.getRun(runId), this.#asked).then((run) => !over.has(run?.status));
    // A lock that nobody uses would keep the run from all others until its lease is over.
    if (!(await mayBegin.catch(() => false))) await this.store.releaseRunLock(runId);
    return mayBegin;
  }

  /**
   * A pass that recovers a run writes `pending` after it has given the lock back, and by a list that it has read long
   * before: over a cancel, or the end of another instance's turn. So the lock is taken once more, and the run must be
   * as it was listed.
   */
  async #recovered(runId: string, patch: Partial<WorkflowRun>): Promise<void> {
    const now = Date.now();
    if (!(await this.store.tryLockRun(runId, RECOVERY, now + ENGINE_LEASE_MS, now))) return;
    try {
      if ((await this.store.getRun(runId))?.status === 'running') await this.store.updateRun(runId, withTimerKept(patch));
    } finally {
      await this.store.releaseRunLock(runId);
    }
  }

  async #release(runId: string): Promise<void> {
    await this.#calls.written(runId);
    await outlastOutage(() => this.store.releaseRunLock(runId), this.#asked);
  }
}

/** An operator who has a run started again clears its error, too. */
function isRecovery(patch: Partial<WorkflowRun>): boolean {
  return patch.status === 'pending' && !('error' in patch);
}

/** What else a turn asks the store for, of methods that some stores lack. */
const IN_TURNS: ReadonlySet<string | symbol> = new Set<keyof StateStore>([
  'takeBufferedSignal',
  'listSignalWaiters',
  'removeSignalWaiter',
  'bufferEvent',
  'listBufferedEvents',
  'removeBufferedEvent',
  'listRuns',
  'getLatestCheckpointByName',
  'listCheckpointsByNamePrefix',
]);

const ASKED_FOR = [
  'createRun',
  'updateRun',
  'getRun',
  'getCheckpoint',
  'saveCheckpoint',
  'listCheckpoints',
  'putSignalWaiter',
  'takeSignalWaiter',
  'bufferSignal',
  'listPendingRuns',
  'listIncompleteRuns',
  'listDueTimers',
  'tryLockRun',
  'releaseRunLock',
] as const satisfies readonly (keyof StateStore)[];

export function isStore(value: unknown): value is StateStore {
  return isRecord(value) && ASKED_FOR.every((method) => typeof value[method] === 'function');
}
