import { type EngineEvent, InMemoryStateStore, type RemoteTask, type RunStatus, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EndedRuns } from '../../../../src/transport/engine/ended-runs.ts';
import { SqsTransport } from '../../../../src/transport/index.ts';
import { capturingLogger } from '../../../support/capturing-logger.ts';
import { type Deferred, deferred } from '../../../support/deferred.ts';
import { ended } from '../ended.ts';
import { FakeSqs, pass } from '../fake-sqs.ts';

function useFakeTimers() {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000_000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

function watched() {
  const overwritten: string[] = [];
  const runs = new EndedRuns((runId) => overwritten.push(runId));
  return { runs, overwritten };
}

describe('EndedRuns', () => {
  it('notices a run that is suspended after its end, once', () => {
    const { runs, overwritten } = watched();
    runs.ended('run');
    runs.suspended('run');
    runs.suspended('run');
    expect(overwritten).toEqual(['run']);
  });

  it('notices it again where the run has ended again', () => {
    const { runs, overwritten } = watched();
    for (let times = 0; times < 2; times += 1) {
      runs.ended('run');
      runs.suspended('run');
    }
    expect(overwritten).toEqual(['run', 'run']);
  });

  it('leaves runs alone that have not ended, and other runs', () => {
    const { runs, overwritten } = watched();
    runs.suspended('run');
    runs.ended('another');
    runs.suspended('run');
    expect(overwritten).toEqual([]);
  });

  it('leaves a run alone that goes on', () => {
    const { runs, overwritten } = watched();
    runs.ended('run');
    runs.forget('run');
    runs.suspended('run');
    expect(overwritten).toEqual([]);
  });

  it('remembers the last five thousand ends', () => {
    const { runs, overwritten } = watched();
    for (let index = 0; index < 15_000; index += 1) runs.ended(`run-${index}`);
    runs.suspended('run-0');
    runs.suspended('run-10000');
    expect(overwritten).toEqual(['run-10000']);
  });
});

describe('a run that ended by the result of a step that another instance dispatched', () => {
  useFakeTimers();

  it('it is looked at once more', () => {
    const { runs, overwritten } = watched();
    runs.ended('run');
    runs.resultOfOther('run');
    expect(overwritten).toEqual([]);
    vi.advanceTimersByTime(60_000);
    expect(overwritten).toEqual(['run']);
  });

  it('it is left alone where the result did not end it, or it has begun again', () => {
    const { runs, overwritten } = watched();
    runs.resultOfOther('run');
    runs.ended('another');
    runs.resultOfOther('another');
    runs.forget('another');
    vi.advanceTimersByTime(60_000);
    expect(overwritten).toEqual([]);
  });

  it('it is left alone once the transport is closed', () => {
    const { runs } = watched();
    runs.ended('run');
    runs.resultOfOther('run');
    runs.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});

/** A store that keeps one write of `suspended` back. */
class SlowWriteStore extends InMemoryStateStore {
  gate: Deferred<void> | undefined;
  readsFail = false;

  override async updateRun(...args: Parameters<InMemoryStateStore['updateRun']>): Promise<void> {
    const { gate } = this;
    if (gate !== undefined && args[1].status === 'suspended') {
      this.gate = undefined;
      await gate.promise;
    }
    return super.updateRun(...args);
  }

  override async getRun(...args: Parameters<InMemoryStateStore['getRun']>) {
    if (this.readsFail) throw new Error('store is down');
    return super.getRun(...args);
  }
}

describe('a pass of the engine that is late', () => {
  useFakeTimers();

  /** A run whose only step is answered while a pass is about to write that the run sleeps. */
  async function overtaken() {
    const store = new SlowWriteStore();
    const sqs = new FakeSqs('durable-tasks-a', 'durable-results');
    const logger = capturingLogger();
    const transport = new SqsTransport({ client: sqs.client(), logger });
    const engine = new WorkflowEngine({ store, transport });
    transport.attach(engine);
    engine.register('workflow', '1', async (ctx) => ctx.step('a', 1));
    await engine.start('workflow', {}, 'run');
    await pass();
    const gate = deferred<void>();
    store.gate = gate;
    const late = engine.resume('run');
    await pass();
    const task: RemoteTask = JSON.parse(sqs.messages('durable-tasks-a')[0]?.body ?? '');
    sqs.put('durable-results', { runId: 'run', seq: 0, stepId: task.stepId, status: 'completed', output: 7 });
    await pass(1_000);
    expect(await store.getRun('run')).toMatchObject({ status: 'completed' });
    const release = async () => {
      gate.resolve();
      await late;
    };
    return { store, logger, transport, release };
  }

  it('a completed run is not left asleep', async () => {
    const { store, logger, transport, release } = await overtaken();
    await release();
    await pass();
    expect(await store.getRun('run')).toMatchObject({ status: 'completed', output: 7 });
    expect(logger.lines).toEqual([
      { level: 'info', message: 'a run that had ended was put to sleep; it is resumed', fields: { runId: 'run' } },
    ]);
    await ended(transport.close());
  });

  it('asks the store nothing more of a run whose steps were dispatched here', async () => {
    const { store, transport, release } = await overtaken();
    await release();
    await pass();
    const getRun = vi.spyOn(store, 'getRun');
    await pass(60_000);
    expect(getRun).not.toHaveBeenCalled();
    await ended(transport.close());
  });

  it('a line tells that the run sleeps where the store fails at that moment', async () => {
    const { store, logger, transport, release } = await overtaken();
    store.readsFail = true;
    await release();
    await pass();
    store.readsFail = false;
    expect(await store.getRun('run')).toMatchObject({ status: 'suspended' });
    expect(logger.lines.at(-1)).toMatchObject({
      level: 'warn',
      message: "a run that had ended sleeps until the engine's reconcileMs: it could not be resumed",
      fields: { runId: 'run' },
    });
    await ended(transport.close());
  });

  it('a run that another instance had completed is not left asleep', async () => {
    const sqs = new FakeSqs('durable-results');
    const transport = new SqsTransport({ client: sqs.client(), logger: capturingLogger() });
    let status: RunStatus = 'completed';
    const resumed: string[] = [];
    const listeners: ((event: EngineEvent) => void)[] = [];
    const emit = (event: Omit<EngineEvent, 'at' | 'runId'>) => {
      for (const listener of listeners) listener({ runId: 'run', at: new Date(), ...event });
    };
    // The engine saves the result, finds the run locked by the other instance, and begins no turn.
    transport.onResult(async ({ seq }) => emit({ type: 'step.completed', seq, kind: 'remote' }));
    transport.attach({
      subscribe: (listener) => {
        listeners.push(listener);
        return () => undefined;
      },
      getRun: async () => ({ status }),
      resume: async (runId) => resumed.push(runId),
    });
    sqs.put('durable-results', { runId: 'run', seq: 0, stepId: 'run:0', status: 'completed' });
    await pass(1_000);
    expect(resumed).toEqual([]);
    status = 'suspended';
    emit({ type: 'run.suspended' });
    await pass();
    expect(resumed).toEqual(['run']);
    await ended(transport.close());
  });
});

describe('an instance that writes late that its run sleeps', () => {
  useFakeTimers();

  /** Two engines on one store: the first dispatches and is slow to write, the second is given the result. */
  async function twoInstances() {
    const store = new SlowWriteStore();
    const sqs = new FakeSqs('durable-tasks-a', 'durable-results');
    const [first, second] = ['first', 'second'].map((instanceId) => {
      const logger = capturingLogger();
      const transport = new SqsTransport({ client: sqs.client(), autoStart: instanceId === 'second', logger });
      const engine = new WorkflowEngine({ store, transport, instanceId });
      transport.attach(engine);
      engine.register('workflow', '1', async (ctx) => ctx.step('a', 1));
      return { engine, transport, logger };
    });
    if (first === undefined || second === undefined) throw new Error('expected two instances');
    const gate = deferred<void>();
    store.gate = gate;
    const started = first.engine.start('workflow', {}, 'run');
    await pass();
    const task: RemoteTask = JSON.parse(sqs.messages('durable-tasks-a')[0]?.body ?? '');
    sqs.put('durable-results', { runId: 'run', seq: 0, stepId: task.stepId, status: 'completed', output: 7 });
    await pass(1_000);
    const writesSuspended = async () => {
      gate.resolve();
      await started;
      expect(await store.getRun('run')).toMatchObject({ status: 'suspended' });
    };
    const close = async () => {
      for (const { transport } of [first, second]) await ended(transport.close());
    };
    return { store, logger: second.logger, writesSuspended, close };
  }

  it('a run that another instance had completed meanwhile is not left asleep', async () => {
    const { store, logger, writesSuspended, close } = await twoInstances();
    expect(await store.getRun('run')).toMatchObject({ status: 'completed' });
    await writesSuspended();
    await pass(2_000);
    expect(await store.getRun('run')).toMatchObject({ status: 'completed', output: 7 });
    expect(logger.lines).toEqual([
      { level: 'info', message: 'a run that had ended was put to sleep; it is resumed', fields: { runId: 'run' } },
    ]);
    await close();
  });
});
