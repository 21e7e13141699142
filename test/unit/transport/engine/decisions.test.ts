import type { EngineEvent, WorkflowDecision, WorkflowRun } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RunLockedError, TransportClosedError } from '../../../../src/errors.ts';
import { AttachedEngine } from '../../../../src/transport/engine/attached-engine.ts';
import { capturingLogger } from '../../../support/capturing-logger.ts';
import { deferred, stateOf } from '../../../support/deferred.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
const DECISION: WorkflowDecision = { taskId: 'run:wf:1', runId: 'run', status: 'continue', commands: [] };

/** An attached engine whose run, events and answers a test gives. */
function setUp(run: Partial<WorkflowRun> = {}, decision: WorkflowDecision = DECISION) {
  const listeners = new Set<(event: EngineEvent) => void>();
  const resumed: string[] = [];
  const children = new Set<string>();
  const attached = AttachedEngine.attach(
    {
      subscribe(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      getRun: async (runId) => (runId === 'run' || children.has(runId) ? { status: 'suspended', ...run } : null),
      resume: async (runId) => resumed.push(runId),
    },
    capturingLogger(),
  );
  const emit = (type: EngineEvent['type']) => {
    for (const listener of listeners) listener({ type, runId: 'run', at: new Date() });
  };
  const source = {
    handler: async (): Promise<void> => undefined,
    decisionHandler: async (_decision: WorkflowDecision): Promise<void> => emit('run.suspended'),
    maxHoldMs: 60_000,
    closed: false,
  };
  const decide = (receiveCount = 1) => attached.decide({ source, decision, sentAt: 0, receiveCount });
  return { attached, source, emit, decide, resumed, children };
}

describe('a decision', () => {
  it('goes to the engine at once: its turn was over before it was sent', async () => {
    const { attached, source, decide } = setUp();
    source.decisionHandler = vi.fn(source.decisionHandler);
    attached.dispatching({ runId: 'run', seq: 0, stepId: 'run:0' });
    attached.dispatched({ runId: 'run', seq: 0, stepId: 'run:0' });
    await pass(250);
    await decide();
    expect(source.decisionHandler).toHaveBeenCalledWith(DECISION);
  });

  it('waits while a result of its run is with the engine, and the other way round', async () => {
    const { attached, source, decide } = setUp();
    const turn = deferred<void>();
    source.handler = () => turn.promise;
    const decided = vi.fn();
    attached.dispatching({ runId: 'run', seq: 0, stepId: 'run:0' });
    attached.dispatched({ runId: 'run', seq: 0, stepId: 'run:0' });
    await pass(250);
    const result = { runId: 'run', seq: 0, stepId: 'run:0', status: 'completed' } as const;
    const given = attached.give({ source, result, sentAt: 0, receiveCount: 1 });
    const decides = decide().then(decided);
    await pass(1_000);
    expect(decided).not.toHaveBeenCalled();
    turn.resolve();
    await pass(1_000);
    await Promise.all([given, decides]);
    expect(decided).toHaveBeenCalled();
  });

  it('comes again where the engine dropped it and still waits for it: another instance held the run', async () => {
    const { source, decide } = setUp({ awaitingDecisionTaskId: DECISION.taskId });
    source.decisionHandler = async () => undefined;
    await expect(decide()).rejects.toThrow(RunLockedError);
  });

  it('ends where its run waits for another turn, or is over', async () => {
    for (const run of [{ awaitingDecisionTaskId: 'run:wf:2' }, { status: 'cancelled' as const, awaitingDecisionTaskId: DECISION.taskId }]) {
      const { source, decide, resumed } = setUp(run);
      source.decisionHandler = async () => undefined;
      await decide(2);
      expect(resumed).toEqual([]);
    }
  });

  it('wakes a run that waits for nothing: an engine died while it applied the decision', async () => {
    const { source, decide, resumed } = setUp();
    source.decisionHandler = async () => undefined;
    await decide(1);
    expect(resumed).toEqual([]);
    await decide(2);
    expect(resumed).toEqual(['run']);
  });

  it('leaves a run alone that sleeps', async () => {
    const { source, decide, resumed } = setUp({ wakeAt: 2_000_000 });
    source.decisionHandler = async () => undefined;
    await decide(2);
    expect(resumed).toEqual([]);
  });

  it('stays on its queue until its children are in the store', async () => {
    const commands = [3, 4].map((seq) => ({ kind: 'startChild', seq, workflow: 'w', input: null }) as const);
    const { decide, children } = setUp({}, { ...DECISION, commands });
    const decided = decide();
    children.add('run.child.3');
    await pass(500);
    expect(await stateOf(decided)).toBe('pending');
    children.add('run.child.4');
    await pass(20);
    expect(await stateOf(decided)).toBe('fulfilled');
  });

  it('waits for no child that cannot be started', async () => {
    const { decide } = setUp({}, { ...DECISION, commands: [{ kind: 'startChild', seq: 0, workflow: 'unknown', input: null }] });
    const decided = decide();
    await pass(1_100);
    expect(await stateOf(decided)).toBe('fulfilled');
  });

  it('meets TransportClosedError on a transport that is closed', async () => {
    const { source, decide } = setUp();
    source.closed = true;
    await expect(decide()).rejects.toThrow(TransportClosedError);
  });
});
