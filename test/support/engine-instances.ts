import {
  type InMemoryStateStore,
  type RemoteTask,
  type StepResult,
  type Transport,
  WorkflowEngine,
  type WorkflowEngineDeps,
} from '@dudousxd/nestjs-durable-core';
import { AttachedEngine } from '../../src/transport/engine/attached-engine.ts';
import type { StoreListener } from '../../src/transport/engine/engine-store.ts';
import { capturingLogger } from './capturing-logger.ts';

/** An instance of the engine whose transport keeps what is dispatched; results are given by hand. */
export class EngineInstance implements Transport {
  readonly engine: WorkflowEngine;
  readonly attached: AttachedEngine;
  readonly logger = capturingLogger();
  readonly tasks: RemoteTask[] = [];
  onDispatch: (task: RemoteTask) => void = () => {};
  #handler: (result: StepResult) => Promise<void> = async () => {};

  constructor(store: InMemoryStateStore, instanceId: string, deps: Partial<WorkflowEngineDeps> = {}) {
    this.engine = new WorkflowEngine({ store, transport: this, instanceId, ...deps });
    this.attached = AttachedEngine.attach(this.engine, this.logger);
  }

  async dispatch(task: RemoteTask): Promise<void> {
    this.attached.dispatching(task);
    this.tasks.push(task);
    this.attached.dispatched(task);
    this.onDispatch(task);
  }

  onResult(handler: (result: StepResult) => Promise<void>): void {
    this.#handler = handler;
  }

  onHeartbeat(): void {}

  /** The result of a step comes to this instance; by default it is the step's position. */
  answer(
    { runId, seq, stepId }: Pick<RemoteTask, 'runId' | 'seq' | 'stepId'>,
    fields: Partial<StepResult> = {},
    receiveCount = 1,
  ): Promise<void> {
    return this.attached.give({
      source: { handler: this.#handler, decisionHandler: async () => undefined, maxHoldMs: 60_000, closed: false },
      result: { runId, seq, stepId, status: 'completed', output: seq, ...fields },
      sentAt: Date.now(),
      receiveCount,
    });
  }
}

/** For a store whose engine has no turns of its own here. */
export const DEAF: StoreListener = { lockRefused() {}, statusWritten() {}, readAsLocked() {}, mayHaveEnded: () => false };

/** The same store, in which some calls are made otherwise: each instance has a view of its own. */
export function viewOf(store: InMemoryStateStore, others: Partial<InMemoryStateStore>): InMemoryStateStore {
  return new Proxy(store, {
    get(target, property) {
      const member: unknown = Reflect.get(others, property) ?? Reflect.get(target, property);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}
