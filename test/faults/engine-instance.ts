import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { type InMemoryStateStore, type RemoteTask, type StepResult, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport, type SqsTransportOptions } from '../../src/transport/index.ts';
import { silentLogger } from '../support/local-cloud.ts';
import type { Ledger } from './ledger.ts';
import { mortal } from './stores.ts';
import { register } from './workload.ts';

/** Short, so that a run whose engine died is free soon; renewed at half of it. */
const LEASE_MS = 5_000;
const TIMERS_EVERY_MS = 100;
const PENDING_EVERY_MS = 1_000;

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

  constructor(options: EngineOptions) {
    const { caller, store, clientConfig, transport = {} } = options;
    this.#options = options;
    this.#life = mortal(store);
    const common = { clientConfig: clientConfig(caller), waitTimeSeconds: 2, logger: silentLogger };
    this.#transport = new NotingTransport({ ...common, ...transport }, options);
    this.engine = new WorkflowEngine({ store: this.#life.store, transport: this.#transport, leaseMs: LEASE_MS, instanceId: caller });
    this.#transport.attach(this.engine);
    register(this.engine);
    // A rejection is the store's outage; the next pass finds the same work.
    this.#timers.push(
      setInterval(() => void this.engine.resumeDueTimers().catch(() => undefined), TIMERS_EVERY_MS),
      setInterval(() => void this.engine.runPending().catch(() => undefined), PENDING_EVERY_MS),
    );
  }

  /** What a booting application does for the runs that a predecessor left; and once more when the predecessor's leases have run out. */
  async recover(): Promise<void> {
    await this.engine.recoverIncomplete();
    this.#timers.push(setTimeout(() => void this.engine.recoverIncomplete().catch(() => undefined), LEASE_MS * 1.5));
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
    ledger.dispatched(task.stepId, task.attempt ?? 1, caller);
    return super.dispatch(task);
  }

  override onResult(handler: (result: StepResult) => Promise<void>): void {
    super.onResult((result) => {
      const { results } = this.#notes;
      if (result.status === 'failed') results.set(result.stepId, (results.get(result.stepId) ?? 0) + 1);
      return handler(result);
    });
  }
}
