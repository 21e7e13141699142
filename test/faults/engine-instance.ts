import { setTimeout as sleep } from 'node:timers/promises';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { type InMemoryStateStore, type RemoteTask, type StepResult, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport, type SqsTransportOptions } from '../../src/transport/index.ts';
import { silentLogger } from '../support/local-cloud.ts';
import type { Ledger } from './ledger.ts';
import { mortal, observed } from './stores.ts';
import { asTurn, currentTurn } from './turn.ts';
import { isAwaitedInMemory, type Run, register } from './workload.ts';

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
}

/** One process of the application: engine and transport. It can be killed, and another can be started on the same store. */
export class EngineInstance {
  readonly engine: WorkflowEngine;
  readonly #options: EngineOptions;
  readonly #transport: SqsTransport;
  readonly #life: ReturnType<typeof mortal>;
  readonly #timers: NodeJS.Timeout[] = [];
  #polling = false;

  constructor(options: EngineOptions) {
    const { caller, store, clientConfig, ledger, transport = {} } = options;
    this.#options = options;
    this.#life = mortal(observed(store, caller, ledger));
    const common = { clientConfig: clientConfig(caller), waitTimeSeconds: 2, logger: silentLogger };
    this.#transport = new NotingTransport({ ...common, ...transport }, options);
    this.engine = new WorkflowEngine({ store: this.#life.store, transport: this.#transport, leaseMs: LEASE_MS, instanceId: caller });
    const { engine } = this;
    this.#transport.attach({
      subscribe: (listener) => engine.subscribe(listener),
      getRun: (runId) => engine.getRun(runId),
      resume: (runId) => asTurn('continuation', () => engine.resume(runId)),
    });
    engine.subscribe(({ type, runId, seq }) => {
      ledger.history.note(runId, `${caller}: ${type}${seq === undefined ? '' : ` ${seq}`}${ofTurn()}`);
    });
    register(engine);
    this.#timers.push(setInterval(() => void this.#poll(), POLL_EVERY_MS));
  }

  start({ kind, runId, nonce }: Run): Promise<unknown> {
    return asTurn('start', () => this.engine.start(kind, { runId, nonce }, runId));
  }

  /** An operator's remedy for a step whose send never came. */
  redispatch(runId: string): Promise<unknown> {
    return asTurn('operator', () => this.engine.redispatchPending(runId));
  }

  /** What the engine does by itself once its `reconcileMs` is over. */
  wake(runId: string): Promise<unknown> {
    this.#options.ledger.mishap('runs that overslept since a lease had run out');
    return asTurn('pass', () => this.engine.resume(runId));
  }

  /** What a booting application does for the runs that a predecessor left; and once more when the predecessor's leases have run out. */
  async recover(): Promise<void> {
    const recover = () => asTurn('pass', () => this.engine.recoverIncomplete()).catch(() => undefined);
    await recover();
    this.#timers.push(setTimeout(() => void recover(), LEASE_MS * 1.5));
  }

  /** The process dies: its store calls and requests end in nothing, and it releases nothing. */
  kill(): void {
    this.#life.end();
    this.#options.ledger.mishap('engines killed');
    this.#options.ledger.dispatches.died(this.#options.caller);
    this.#options.kill(this.#options.caller);
    this.#stopTimers();
    // Only so that this process of ours can end: nothing of it gets through any more.
    void this.#transport.close({ timeoutMs: 0 });
  }

  async close(): Promise<void> {
    this.#stopTimers();
    await this.engine.drain();
    await this.#transport.close();
  }

  /**
   * What is pending, what is due. A pass that takes long is left behind, so passes overlap: the NestJS module's never do, and stand still
   * while one waits for a `timeoutMs` step.
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

  override onResult(handler: (result: StepResult) => Promise<void>): void {
    super.onResult(async (result) => {
      const { results, history } = this.#ledger;
      results.handedToEngine(result.stepId, result.status === 'failed');
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
