import {
  InMemoryStateStore,
  type RemoteTask,
  type StepCheckpoint,
  type Transport,
  type WorkflowDecision,
  WorkflowEngine,
  type WorkflowEngineDeps,
  type WorkflowTask,
} from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { AttachedEngine } from '../../../../src/transport/engine/attached-engine.ts';
import { mortal } from '../../../faults/stores.ts';
import { capturingLogger } from '../../../support/capturing-logger.ts';
import { stateOf } from '../../../support/deferred.ts';
import { viewOf } from '../../../support/engine-instances.ts';
import { pass } from '../fake-sqs.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** An engine whose workflow `w` runs elsewhere; its turns are kept, and decisions are given by hand. */
class RemoteInstance implements Transport {
  readonly engine: WorkflowEngine;
  readonly turns: WorkflowTask[] = [];
  readonly tasks: RemoteTask[] = [];
  readonly #attached: AttachedEngine;
  #decisionHandler: (decision: WorkflowDecision) => Promise<void> = async () => {};

  constructor(store: InMemoryStateStore, deps: Partial<WorkflowEngineDeps> = {}) {
    this.engine = new WorkflowEngine({ store, transport: this, ...deps });
    this.#attached = AttachedEngine.attach(this.engine, capturingLogger());
    this.engine.remote('w', { group: 'w' });
  }

  async dispatch(task: RemoteTask): Promise<void> {
    this.tasks.push(task);
  }

  async dispatchWorkflowTask(task: WorkflowTask): Promise<void> {
    this.turns.push(task);
  }

  onResult(): void {}

  onHeartbeat(): void {}

  onDecision(handler: (decision: WorkflowDecision) => Promise<void>): void {
    this.#decisionHandler = handler;
  }

  decide(commands: WorkflowDecision['commands'], { turn = this.turns[0], receiveCount = 1 } = {}): Promise<void> {
    if (turn === undefined) throw new Error('expected a turn');
    const source = { handler: async () => undefined, decisionHandler: this.#decisionHandler, maxHoldMs: 60_000, closed: false };
    const decision = { taskId: turn.taskId, runId: turn.runId, status: 'continue', commands } as const;
    return this.#attached.decide({ source, decision, sentAt: 0, receiveCount });
  }
}

it('a buffered signal that a decision has taken is not lost to a store that is away for a moment', async () => {
  const real = new InMemoryStateStore();
  let awayUntil = 0;
  const away = <T>(call: () => Promise<T>) => (Date.now() < awayUntil ? Promise.reject(new Error('the store is down')) : call());
  const store = viewOf(real, {
    async takeBufferedSignal(token) {
      const taken = await real.takeBufferedSignal(token);
      if (taken !== null) awayUntil = Date.now() + 3_000;
      return taken;
    },
    saveCheckpoint: (checkpoint) => away(() => real.saveCheckpoint(checkpoint)),
    getRun: (runId) => away(() => real.getRun(runId)),
  });
  const instance = new RemoteInstance(store);
  await instance.engine.signal('go', 'now');
  await instance.engine.start('w', {}, 'run');
  await pass(10);
  const decided = instance.decide([{ kind: 'waitSignal', seq: 0, signal: 'go' }]);
  await pass(10_000);
  await decided;
  expect(await real.listCheckpoints('run')).toMatchObject([{ seq: 0, kind: 'signal', output: 'now' }]);
  // With the signal in its history.
  expect(instance.turns.at(-1)?.history).toMatchObject([{ seq: 0, kind: 'signal', output: 'now' }]);
});

it('a decision that comes again wakes a run whose engine died with a signal in its hands', async () => {
  const real = new InMemoryStateStore();
  const dying = mortal(real);
  const store = viewOf(dying.store, {
    async saveCheckpoint(checkpoint) {
      await real.saveCheckpoint(checkpoint);
      // It still writes that the run is suspended, and begins no turn.
      setTimeout(() => dying.end(), 0);
    },
  });
  const first = new RemoteInstance(store);
  await first.engine.signal('go', 'now');
  await first.engine.start('w', {}, 'run');
  await pass(10);
  const commands = [{ kind: 'waitSignal', seq: 0, signal: 'go' }] as const;
  void first.decide([...commands]);
  await pass(60_000);
  expect(await real.getRun('run')).toMatchObject({ status: 'suspended', wakeAt: expect.any(Number) });

  const second = new RemoteInstance(real);
  const [turn] = first.turns;
  const decided = second.decide([...commands], { turn, receiveCount: 2 });
  await pass(10);
  await decided;
  expect(second.turns).toMatchObject([{ history: [{ seq: 0, kind: 'signal', output: 'now' }] }]);
});

it('a decision that comes again leaves a run alone that sleeps: its sleep would begin anew', async () => {
  const instance = new RemoteInstance(new InMemoryStateStore());
  await instance.engine.start('w', {}, 'run');
  await pass(10);
  await instance.decide([{ kind: 'sleep', seq: 0, ms: 60_000 }]);
  await instance.decide([{ kind: 'sleep', seq: 0, ms: 60_000 }], { receiveCount: 2 });
  expect(instance.turns).toHaveLength(1);
});

it('a decision is not consumed before the turn is sent that a buffered signal begins', async () => {
  const real = new InMemoryStateStore();
  const store = viewOf(real, {
    async listCheckpoints(runId) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      return real.listCheckpoints(runId);
    },
  });
  const instance = new RemoteInstance(store);
  await instance.engine.signal('go', 'now');
  void instance.engine.start('w', {}, 'run');
  await pass(1_000);
  const decided = instance.decide([{ kind: 'waitSignal', seq: 0, signal: 'go' }]);
  await pass(100);
  expect(await stateOf(decided)).toBe('pending');
  await pass(1_000);
  expect(await stateOf(decided)).toBe('fulfilled');
  expect(instance.turns).toHaveLength(2);
});

it('a parent that calls for a child which has ended already is told of its end', async () => {
  const real = new InMemoryStateStore();
  let lost = true;
  // The engine that was to tell the parent died before it had taken the parent's waiter.
  const store = viewOf(real, {
    takeSignalWaiter: (token) => (lost && token.startsWith('child:') ? new Promise(() => {}) : real.takeSignalWaiter(token)),
  });
  const instance = new RemoteInstance(store);
  await instance.engine.start('w', {}, 'run');
  await pass(10);
  const commands = [{ kind: 'startChild', seq: 0, workflow: 'w', input: {} }] as const;
  await instance.decide([...commands]);
  await real.updateRun('run.child.0', { status: 'completed', output: 'done', updatedAt: new Date() });
  lost = false;

  // What the engine's reconcileMs comes to.
  await instance.engine.resume('run');
  const again = instance.decide([...commands], { turn: instance.turns.findLast(({ runId }) => runId === 'run') });
  await pass(1_000);
  await again;
  expect(instance.turns.at(-1)).toMatchObject({ runId: 'run', history: [{ seq: 0, kind: 'child', output: 'done' }] });
});

it.each([
  [undefined, []],
  [600_000, ['a', 'b']],
])('steps that died with the process that had saved them are sent after remoteRedispatchMs: %s', async (remoteRedispatchMs, expected) => {
  const store = new InMemoryStateStore();
  const calls = ['a', 'b'].map((name, seq) => ({ kind: 'call', seq, name, group: name, input: seq }) as const);
  const { store: mortalStore, end } = mortal(store);
  const first = new RemoteInstance(mortalStore);
  // It dies with the checkpoints of both on record, and neither sent.
  first.dispatch = async () => {
    await store.saveCheckpoint({ ...(await checkpointOf(store, 0)), seq: 1, name: 'b', stepId: 'run:1', workerGroup: 'b', input: 1 });
    end();
    await new Promise<never>(() => {});
  };
  await first.engine.start('w', {}, 'run');
  await pass(10);
  void first.decide(calls);
  await pass(10);
  const second = new RemoteInstance(store, remoteRedispatchMs === undefined ? {} : { remoteRedispatchMs });
  const turnAfter = async (ms: number) => {
    await pass(ms);
    const resumed = second.engine.resume('run');
    await pass(10);
    await resumed;
    const decided = second.decide(calls, { turn: second.turns.at(-1) });
    await pass(10);
    await decided;
  };
  await turnAfter(60_000);
  expect(second.tasks).toEqual([]);
  await turnAfter(600_000);
  expect(second.tasks.map(({ name }) => name)).toEqual(expected);
  // Each is out again from now on.
  await turnAfter(60_000);
  expect(second.tasks.map(({ name }) => name)).toEqual(expected);
});

it('a step that is out and no longer called for is not sent again', async () => {
  const store = new InMemoryStateStore();
  const instance = new RemoteInstance(store, { remoteRedispatchMs: 600_000 });
  await instance.engine.start('w', {}, 'run');
  await pass(10);
  await instance.decide([{ kind: 'call', seq: 0, name: 'a', group: 'a', input: 0 }]);
  await pass(700_000);
  const resumed = instance.engine.resume('run');
  await pass(10);
  await resumed;
  const decided = instance.decide([{ kind: 'call', seq: 1, name: 'b', group: 'b', input: 1 }], { turn: instance.turns.at(-1) });
  await pass(10);
  await decided;
  expect(instance.tasks.map(({ name }) => name)).toEqual(['a', 'b']);
});

async function checkpointOf(store: InMemoryStateStore, seq: number): Promise<StepCheckpoint> {
  const checkpoint = await store.getCheckpoint('run', seq);
  if (checkpoint === null) throw new Error('expected a checkpoint');
  return checkpoint;
}
