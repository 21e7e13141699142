import { setTimeout as sleep } from 'node:timers/promises';
import type { InMemoryStateStore } from '@dudousxd/nestjs-durable-core';
import type { EngineInstance } from './engine-instance.ts';
import type { Ledger, Mishap } from './ledger.ts';
import type { Run } from './runs.ts';

const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled', 'dead']);
const LOOK_EVERY_MS = 250;
const SHARE_PATIENCE_MS = 20_000;
/** A turn that is about to dispatch has long done so by then. */
const UNSENT_AFTER_MS = 5_000;
/** Any timer of these runs, and any result that an engine has rejected, has long come by then. */
const OVERSLEPT_AFTER_MS = 45_000;

/** Looks at the store, not at engines: these are killed. */
export class RunWatch {
  readonly #runs: readonly Run[];
  readonly #store: InMemoryStateStore;
  readonly #ledger: Ledger;
  readonly #isDead: (caller: string) => boolean;
  readonly #ended = new Set<string>();

  constructor(runs: readonly Run[], store: InMemoryStateStore, ledger: Ledger, isDead: (caller: string) => boolean) {
    this.#runs = runs;
    this.#store = store;
    this.#ledger = ledger;
    this.#isDead = isDead;
  }

  /** Waits until a share of some runs has ended, but not for ever: what is stuck shows at the end. */
  async untilEnded(runs: readonly Run[], share: number): Promise<void> {
    const deadline = Date.now() + SHARE_PATIENCE_MS;
    for (;;) {
      const open = await this.#open(runs);
      if (open.length <= runs.length * (1 - share) || Date.now() > deadline) return;
      await sleep(20);
    }
  }

  /**
   * Waits until every run has ended, and gives how many have not.
   * @param engine helps what no transport can know of. @default nobody does
   */
  async untilAllEnded(timeoutMs: number, engine?: () => EngineInstance | undefined): Promise<number> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const open = await this.#open(this.#runs);
      if (open.length === 0 || Date.now() > deadline) return open.length;
      for (const runId of engine === undefined ? [] : await this.#withChildren(open)) {
        if (await this.#stepNeverSent(runId)) await engine?.()?.redispatch(runId);
        const why = await this.#overslept(runId);
        if (why !== undefined) await engine?.()?.wake(runId, why);
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  /**
   * Why the run sleeps with nothing left to wait for, where no transport can know of it: the engine itself sees to that
   * after its `reconcileMs`, five minutes, or `remoteAdvanceSilenceMs`, which nobody waits for here. A wake that we
   * have lost is not among them.
   */
  async #overslept(runId: string): Promise<Mishap | undefined> {
    const { dispatches } = this.#ledger;
    const run = await this.#store.getRun(runId);
    if (run?.status !== 'suspended') return undefined;
    const asleepMs = Date.now() - run.updatedAt.getTime();
    const turnId = run.awaitingDecisionTaskId;
    if (turnId !== undefined) {
      const dispatcher = dispatches.lastDispatcherOf(turnId);
      const isLost = (dispatcher === undefined || this.#isDead(dispatcher)) && !this.#ledger.isAccepted(turnId, 1);
      return isLost && asleepMs > UNSENT_AFTER_MS ? 'runs whose turn was never sent, its engine was killed' : undefined;
    }
    if (asleepMs < OVERSLEPT_AFTER_MS) return undefined;
    const checkpoints = await this.#store.listCheckpoints(runId);
    if (checkpoints.some(({ status }) => status === 'pending')) return undefined;
    if (dispatches.decidedByDead(`${runId}.child.0`)) return 'runs that overslept the end of their child, its engine was killed';
    if (this.#ledger.signals.lostOf(runId, this.#isDead) !== undefined) return 'runs whose signal was lost, its engine was killed with it';
    if (this.#ledger.wasSignalCutShort(runId)) return 'runs that overslept a signal that was cut short';
    return dispatches.leaseRanOut(runId) ? 'runs that overslept since a lease had run out' : undefined;
  }

  /** What a run waits for may be a child of it that needs help. */
  async #withChildren(runs: readonly Run[]): Promise<string[]> {
    const isOpen = new Set(runs.map(({ runId }) => runId));
    const all = await this.#store.listRuns({});
    const children = all.filter(
      ({ id, status }) => !ENDED.has(status) && isOpen.has(id.split('.child.')[0] ?? '') && id.includes('.child.'),
    );
    return [...isOpen, ...children.map(({ id }) => id)];
  }

  async #open(runs: readonly Run[]): Promise<Run[]> {
    const open = runs.filter(({ runId }) => !this.#ended.has(runId));
    const statuses = await Promise.all(open.map(({ runId }) => this.#store.getRun(runId)));
    for (const run of statuses) if (run !== null && ENDED.has(run.status)) this.#ended.add(run.id);
    return open.filter(({ runId }) => !this.#ended.has(runId));
  }

  /**
   * Whether the run waits for a step whose engine died between its checkpoint and its send. No transport knows of it;
   * an operator's `redispatchPending`, or the engine's `remoteRedispatchMs`, is what helps.
   */
  async #stepNeverSent(runId: string): Promise<boolean> {
    const { dispatches } = this.#ledger;
    const checkpoints = await this.#store.listCheckpoints(runId);
    return checkpoints.some(({ status, kind, stepId, attempts, startedAt }) => {
      if (status !== 'pending' || kind !== 'remote' || stepId === undefined) return false;
      const dispatcher = dispatches.lastDispatcherOf(stepId);
      const orphaned = dispatcher === undefined || this.#isDead(dispatcher) || !dispatches.wasDispatched(stepId, attempts);
      return orphaned && !this.#ledger.isAccepted(stepId, attempts) && Date.now() - startedAt.getTime() > UNSENT_AFTER_MS;
    });
  }
}
