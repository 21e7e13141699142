import { setTimeout as sleep } from 'node:timers/promises';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import {
  type InMemoryStateStore,
  type RemoteTask,
  type StepResult,
  type WorkflowDecision,
  WorkflowEngine,
  type WorkflowTask,
} from '@dudousxd/nestjs-durable-core';
import { SqsTransport, type SqsTransportOptions } from '../../src/transport/index.ts';
import { silentLogger } from '../support/local-cloud.ts';
import type { Ledger, Mishap } from './ledger.ts';
import type { Run } from './runs.ts';
import { mortal, observed } from './stores.ts';
import { asTurn, currentTurn } from './turn.ts';
import { isAwaitedInMemory } from './workload.ts';
import { STEP_WORKLOAD, type Workload } from './workloads.ts';

/** Short, so that a run whose engine died is free soon; renewed at half of it. */
const LEASE_MS = 5_000;
const POLL_EVERY_MS = 100;
const PASS_PATIENCE_MS = 2_000;

export interface EngineOptions {
  /** Name in the log, and access key id of its requests. */
  readonly caller: string;
  readonly store: InMemoryStateStore;
  readonly clientConfig: (caller: string, config?: SQSClientConfig) => SQSClientConfig;
  readonly kill: (caller: string) => void;
  readonly ledger: Ledger;
  readonly transport?: SqsTransportOptions;
  /** @default steps on Lambda, workflows in this process */
  readonly workload?: Pick<Workload, 'register' | 'attachesEngine'>;
  /** The engine sends a turn again that it has heard nothing of for so long. @default never */
  readonly remoteAdvanceSilenceMs?: number | undefined;
}

/**
 * One process of the application: engine and transport. It can be killed, and another can be started on the same store.
 */
export class EngineInstance {
  readonly engine: WorkflowEngine;
  readonly #options: EngineOptions;
  readonly #transport: SqsTransport;
  readonly #life: ReturnType<typeof mortal>;
  readonly #timers: NodeJS.Timeout[] = [];
  #polling = false;
  #isDead = false;

  constructor(options: EngineOptions) {
    const { caller, store, clientConfig, ledger, transport = {}, workload = STEP_WORKLOAD, remoteAdvanceSilenceMs } = options;
    this.#options = options;
    this.#life = mortal(observed(store, caller, ledger));
    const common = { clientConfig: clientConfig(caller), waitTimeSeconds: 2, logger: silentLogger };
    this.#transport = new NotingTransport({ ...common, ...transport }, options);
    this.engine = new WorkflowEngine({
      store: this.#life.store,
      transport: this.#transport,
      leaseMs: LEASE_MS,
      instanceId: caller,
      ...(remoteAdvanceSilenceMs === undefined ? {} : { remoteAdvanceSilenceMs }),
    });
    const { engine } = this;
    const shown = {
      subscribe: engine.subscribe.bind(engine),
      getRun: engine.getRun.bind(engine),
      resume: (runId: string) => asTurn('continuation', () => engine.resume(runId)),
    };
    this.#transport.attach(workload.attachesEngine ? engine : shown);
    engine.subscribe(({ type, runId, seq }) => {
      ledger.history.note(runId, `${caller}: ${type}${seq === undefined ? '' : ` ${seq}`}${ofTurn()}`);
    });
    workload.register(engine);
    this.#timers.push(setInterval(() => void this.#poll(), POLL_EVERY_MS));
  }

  start({ kind, runId, nonce }: Run): Promise<unknown> {
    return this.#answer(asTurn('start', () => this.engine.start(kind, { runId, nonce }, runId)));
  }

  signal({ token, payload }: { readonly token: string; readonly payload: unknown }): Promise<unknown> {
    return this.#answer(asTurn('outside', () => this.engine.signal(token, payload)));
  }

  cancel(runId: string): Promise<unknown> {
    return this.#answer(asTurn('outside', () => this.engine.cancel(runId)));
  }

  /** An operator's remedy for a step whose send never came. */
  redispatch(runId: string): Promise<unknown> {
    return asTurn('operator', () => this.engine.redispatchPending(runId));
  }

  /**
   * What the engine does by itself once its `reconcileMs` or `remoteAdvanceSilenceMs` is over. A signal that was lost,
   * somebody has to send again.
   */
  wake(runId: string, why: Mishap): Promise<unknown> {
    const { ledger } = this.#options;
    ledger.mishap(why);
    const lost = ledger.signals.lostOf(runId, (caller) => ledger.dispatches.isDead(caller));
    if (lost !== undefined) return this.signal(lost);
    return asTurn('pass', () => this.engine.resume(runId));
  }

  /**
   * What a booting application does for the runs that a predecessor left; and once more when the predecessor's leases
   * have run out.
   */
  async recover(): Promise<void> {
    const recover = () => asTurn('pass', () => this.engine.recoverIncomplete()).catch(() => undefined);
    await recover();
    this.#timers.push(setTimeout(() => void recover(), LEASE_MS * 1.5));
  }

  /** The process dies: its store calls and requests end in nothing, and it releases nothing. */
  kill(): void {
    this.#isDead = true;
    this.#life.end();
    this.#options.ledger.mishap('engines killed');
    this.#options.ledger.dispatches.died(this.#options.caller);
    this.#options.kill(this.#options.caller);
    this.#stopTimers();
    // Only so that this process of ours can end: nothing of it gets through any more.
    void this.#transport.close({ timeoutMs: 0 });
  }

  /** A dead process answers nobody, though code of it that waits for a timer goes on here. */
  async #answer<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } finally {
      if (this.#isDead) await new Promise<never>(() => {});
    }
  }

  async close(): Promise<void> {
    this.#stopTimers();
    await this.engine.drain();
    await this.#transport.close();
  }

  /**
   * What is pending, what is due. A pass that takes long is left behind, so passes overlap: the NestJS module's never
   * do, and stand still while one waits for a `timeoutMs` step.
   */
  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    const pass = asTurn('pass', async () => {
      await this.engine.runPending();
      await this.engine.resumeDueTimers();
    });
    // A rejection is the store's outage; the next pass finds the same work.
    await Promise.race([pass, sleep(PASS_PATIENCE_MS)]).catch(() => undefined);
    this.#polling = false;
  }

  #stopTimers(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }
}

/** The transport under test, with a note of what goes in and out. */
class NotingTransport extends SqsTransport {
  readonly #caller: string;
  readonly #ledger: Ledger;

  constructor(options: SqsTransportOptions, { caller, ledger }: Pick<EngineOptions, 'caller' | 'ledger'>) {
    super(options);
    this.#caller = caller;
    this.#ledger = ledger;
  }

  override async dispatch(task: RemoteTask): Promise<void> {
    const { dispatches, history } = this.#ledger;
    const attempt = task.attempt ?? 1;
    dispatches.dispatched(task.stepId, attempt, this.#caller, currentTurn(), isAwaitedInMemory(task.runId));
    history.note(task.runId, `${this.#caller}: dispatches step ${task.seq}, attempt ${attempt}${ofTurn()}`);
    try {
      await super.dispatch(task);
    } catch (error) {
      history.note(task.runId, `${this.#caller}: the dispatch of step ${task.seq} is rejected: ${String(error)}`);
      throw error;
    }
  }

  override async dispatchWorkflowTask(task: WorkflowTask): Promise<void> {
    const { dispatches, history } = this.#ledger;
    dispatches.dispatched(task.taskId, 1, this.#caller, currentTurn());
    history.note(task.runId, `${this.#caller}: dispatches turn ${task.taskId}, ${task.history.length} events${ofTurn()}`);
    await super.dispatchWorkflowTask(task);
  }

  override onDecision(handler: (decision: WorkflowDecision) => Promise<void>): void {
    super.onDecision(async (decision) => {
      const { results, history, dispatches } = this.#ledger;
      // Its own transport would still fail the runs whose turns it cannot send.
      if (dispatches.isDead(this.#caller)) return handler(decision);
      const { runId, taskId, status, commands } = decision;
      results.handedToEngine(taskId);
      if (status !== 'continue') dispatches.ends(runId, this.#caller);
      const what = [status, ...commands.map(({ kind, seq }) => `${kind} ${seq}`)].join(', ');
      history.note(runId, `${this.#caller}: is handed the decision of ${taskId}: ${what}`);
      try {
        await asTurn('decision', () => handler(decision));
        history.note(runId, `${this.#caller}: is done with the decision of ${taskId}`);
      } catch (error) {
        this.#ledger.mishap('results that an engine rejected');
        history.note(runId, `${this.#caller}: rejects the decision of ${taskId}: ${String(error)}`);
        throw error;
      }
    });
  }

  override onResult(handler: (result: StepResult) => Promise<void>): void {
    super.onResult(async (result) => {
      const { results, history } = this.#ledger;
      results.handedToEngine(result.stepId);
      history.note(result.runId, `${this.#caller}: is handed a ${result.status} result of step ${result.seq}`);
      try {
        await asTurn('result', () => handler(result));
        history.note(result.runId, `${this.#caller}: has taken the result of step ${result.seq}`);
      } catch (error) {
        this.#ledger.mishap('results that an engine rejected');
        history.note(result.runId, `${this.#caller}: rejects the result of step ${result.seq}: ${String(error)}`);
        throw error;
      }
    });
  }
}

function ofTurn(): string {
  const turn = currentTurn();
  return turn === undefined ? '' : ` (turn of a ${turn.origin})`;
}
