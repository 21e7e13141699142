import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { type InMemoryStateStore, type RemoteTask, type StepResult, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport, type SqsTransportOptions } from '../../src/transport/index.ts';
import { silentLogger } from '../support/local-cloud.ts';
import type { Ledger, TurnOrigin } from './ledger.ts';
import { mortal } from './stores.ts';
import { register } from './workload.ts';

/** Short, so that a run whose engine died is free soon; renewed at half of it. */
const LEASE_MS = 5_000;
const POLL_EVERY_MS = 100;
const PASS_PATIENCE_MS = 2_000;

/** What began the turn that dispatches: a pass of the engine over its runs, or a result. */
const origin = new AsyncLocalStorage<Exclude<TurnOrigin, 'start'>>();

export interface EngineOptions {
  /** Name in the log, and access key id of its requests. */
  readonly caller: string;
  readonly store: InMemoryStateStore;
  readonly clientConfig: (caller: string, config?: SQSClientConfig) => SQSClientConfig;
  readonly kill: (caller: string) => void;
  readonly ledger: Ledger;
  readonly results: ResultLog;
  readonly transport?: SqsTransportOptions;
}

/** Results as they were handed to engines: each failure of a step, by step id. */
export type ResultLog = Map<string, number>;

/** One process of the application: engine and transport. It can be killed, and another can be started on the same store. */
export class EngineInstance {
  readonly engine: WorkflowEngine;
  readonly #options: EngineOptions;
  readonly #transport: SqsTransport;
  readonly #life: ReturnType<typeof mortal>;
  readonly #timers: NodeJS.Timeout[] = [];
  #polling = false;

  constructor(options: EngineOptions) {
    const { caller, store, clientConfig, transport = {} } = options;
    this.#options = options;
    this.#life = mortal(store);
    const common = { clientConfig: clientConfig(caller), waitTimeSeconds: 2, logger: silentLogger };
    this.#transport = new NotingTransport({ ...common, ...transport }, options);
    this.engine = new WorkflowEngine({ store: this.#life.store, transport: this.#transport, leaseMs: LEASE_MS, instanceId: caller });
    this.#transport.attach(this.engine);
    register(this.engine);
    this.#timers.push(setInterval(() => void this.#poll(), POLL_EVERY_MS));
  }

  /** What a booting application does for the runs that a predecessor left; and once more when the predecessor's leases have run out. */
  async recover(): Promise<void> {
    const recover = () => origin.run('pass', () => this.engine.recoverIncomplete()).catch(() => undefined);
    await recover();
    this.#timers.push(setTimeout(() => void recover(), LEASE_MS * 1.5));
  }

  /** The process dies: its store calls and requests end in nothing, and it releases nothing. */
  kill(): void {
    this.#life.end();
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

  /** As the NestJS module polls: what is pending, what is due; never two at once, but a pass that waits for a `timeoutMs` step is left behind. */
  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    const pass = origin.run('pass', async () => {
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
  readonly #notes: Pick<EngineOptions, 'caller' | 'ledger' | 'results'>;

  constructor(options: SqsTransportOptions, notes: Pick<EngineOptions, 'caller' | 'ledger' | 'results'>) {
    super(options);
    this.#notes = notes;
  }

  override dispatch(task: RemoteTask): Promise<void> {
    const { caller, ledger } = this.#notes;
    ledger.dispatched(task.stepId, task.attempt ?? 1, caller, origin.getStore() ?? 'start');
    return super.dispatch(task);
  }

  override onResult(handler: (result: StepResult) => Promise<void>): void {
    super.onResult((result) => {
      const { results } = this.#notes;
      if (result.status === 'failed') results.set(result.stepId, (results.get(result.stepId) ?? 0) + 1);
      return origin.run('result', () => handler(result));
    });
  }
}
