import type { EngineEvent, EngineEventType, RunStatus } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RunLockedError } from '../../../../src/errors.ts';
import { AttachedEngine } from '../../../../src/transport/engine/attached-engine.ts';
import type { ResultSource } from '../../../../src/transport/engine/given.ts';
import type { StepResult } from '../../../../src/wire/step-result.ts';
import { capturingLogger } from '../../../support/capturing-logger.ts';
import { deferred } from '../../../support/deferred.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
const stepOf = (seq: number, runId = 'run') => ({ runId, seq, stepId: `${runId}:${seq}` });
const resultOf = (seq: number, runId = 'run'): StepResult => ({ ...stepOf(seq, runId), status: 'completed' });

/** An attached engine whose events and answers a test gives. */
function setUp() {
  const listeners = new Set<(event: EngineEvent) => void>();
  const state: { status: RunStatus; resume: () => Promise<void>; resumed: number } = {
    status: 'suspended',
    resume: async () => undefined,
    resumed: 0,
  };
  const engine = {
    subscribe(listener: (event: EngineEvent) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    getRun: async () => ({ status: state.status }),
    async resume() {
      state.resumed += 1;
      await state.resume();
    },
  };
  const emit = (type: EngineEventType, fields: { seq?: number; kind?: 'remote' | 'local' } = {}, runId = 'run') => {
    for (const listener of listeners) listener({ type, runId, at: new Date(), ...fields });
  };
  const logger = capturingLogger();
  const attach = () => AttachedEngine.attach(engine, logger);
  const attached = attach();
  const give = (
    seq: number,
    handler: ResultSource['handler'] = async () => undefined,
    more: { receiveCount?: number; deleteEarly?: () => void } = {},
  ) =>
    attached.give({
      source: { handler, decisionHandler: async () => undefined, maxHoldMs: 60_000, closed: false },
      result: resultOf(seq),
      sentAt: 0,
      receiveCount: 1,
      ...more,
    });
  const dispatch = (seq: number) => {
    attached.dispatching(stepOf(seq));
    attached.dispatched(stepOf(seq));
  };
  return { listeners, logger, state, emit, attach, attached, give, dispatch };
}

describe('AttachedEngine.attach', () => {
  it('gives the same one to all transports of an engine, and ends its subscription with the last of them', () => {
    const { attached, attach, listeners } = setUp();
    expect(attach()).toBe(attached);
    attached.detach();
    expect(listeners.size).toBe(1);
    attached.detach();
    expect(listeners.size).toBe(0);
    expect(attach()).not.toBe(attached);
    expect(listeners.size).toBe(1);
  });
});

describe('the events that the order of results rests on', () => {
  const all: [EngineEventType, { seq?: number; kind?: 'remote' }][] = [
    ['run.started', {}],
    ['step.started', { seq: 0, kind: 'remote' }],
    ['run.suspended', {}],
    ['step.completed', { seq: 0 }],
  ];

  /** So many steps whose engine tells of them with these events. */
  async function steps(count: number, told: typeof all, own = true) {
    const { emit, dispatch, give, logger, state } = setUp();
    state.status = 'completed';
    for (let step = 0; step < count; step += 1) {
      if (own) dispatch(0);
      const given = give(0, async () => {
        for (const [type, fields] of told) emit(type, fields);
      });
      await pass(60_000);
      await given;
    }
    return logger.lines.filter(({ message }) => message.includes('does not tell of'));
  }

  it.each<[EngineEventType, string]>([
    ['step.started', 'step.started'],
    ['step.completed', 'step.completed or step.failed'],
    ['run.suspended', 'run.suspended or run.completed or run.failed or run.blocked'],
  ])('%s: a line says once that the engine does not tell of it', async (missing, named) => {
    const told = all.filter(([type]) => type !== missing);
    expect(await steps(9, told)).toEqual([]);
    const lines = await steps(30, told);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: 'error', fields: {} });
    expect(lines[0]?.message).toContain(`does not tell of ${named}, so`);
  });

  it('no line says so where all come, or where no step was dispatched here', async () => {
    expect(await steps(30, all)).toEqual([]);
    expect(await steps(30, [], false)).toEqual([]);
  });
});

describe('results by the events of the engine', () => {
  it.each<EngineEventType>(['run.suspended', 'run.blocked', 'run.completed', 'run.failed'])('%s lets a held result go', async (type) => {
    const { emit, dispatch, give } = setUp();
    const handler = vi.fn(async () => undefined);
    emit('run.started');
    dispatch(0);
    const given = give(0, handler);
    await pass(10_000);
    expect(handler).not.toHaveBeenCalled();
    emit(type);
    await given;
    expect(handler).toHaveBeenCalledOnce();
  });

  it.each<EngineEventType>(['step.completed', 'step.failed', 'step.progress'])('%s does not let it go', async (type) => {
    const { emit, dispatch, give } = setUp();
    const handler = vi.fn(async () => undefined);
    emit('run.started');
    dispatch(0);
    void give(0, handler);
    emit(type, { seq: 0, kind: 'remote' });
    await pass(10_000);
    expect(handler).not.toHaveBeenCalled();
  });

  it('leaves the engine its event before it gives it another result', async () => {
    const { emit, dispatch, give } = setUp();
    const handler = vi.fn(async () => undefined);
    emit('run.started');
    dispatch(0);
    void give(0, handler);
    await pass();
    emit('run.suspended');
    expect(handler).not.toHaveBeenCalled();
    await pass();
    expect(handler).toHaveBeenCalledOnce();
  });

  it('lets a result pass that a turn waits for, not one of a local step at its position', async () => {
    const { emit, dispatch, give } = setUp();
    emit('run.started');
    emit('step.started', { seq: 0, kind: 'remote' });
    emit('step.started', { seq: 1, kind: 'local' });
    dispatch(0);
    dispatch(1);
    const handler = vi.fn(async () => undefined);
    await give(0, handler);
    void give(1, handler);
    await pass(10_000);
    expect(handler).toHaveBeenCalledOnce();
  });

  it('keeps nothing of a run that is over', async () => {
    const { attached, emit, dispatch } = setUp();
    emit('run.started');
    dispatch(0);
    expect(attached.size).toBe(1);
    emit('run.completed');
    await pass();
    expect(attached.size).toBe(0);
    emit('run.suspended', {}, 'unknown');
    emit('step.completed', { seq: 0, kind: 'remote' }, 'unknown');
    await pass();
    expect(attached.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a result of which no turn came', () => {
  it('has its run resumed until a turn came, and holds back the next result meanwhile', async () => {
    const { emit, give, state } = setUp();
    const settles = async ({ seq }: StepResult) => emit('step.completed', { seq, kind: 'remote' });
    state.resume = async () => {
      if (state.resumed === 6) emit('run.suspended');
    };
    const first = give(0, settles);
    const next = vi.fn(async () => undefined);
    const second = give(1, next);
    await pass(50);
    expect(next).not.toHaveBeenCalled();
    await pass(1_000);
    expect(state.resumed).toBe(6);
    await Promise.all([first, second]);
    expect(next).toHaveBeenCalledOnce();
  });

  it.each<EngineEventType>(['run.suspended', 'run.blocked', 'run.completed', 'run.failed'])('%s tells that its turn came', async (type) => {
    const { emit, give, state } = setUp();
    await give(0, async () => {
      emit('step.failed', { seq: 0, kind: 'remote' });
      emit(type);
    });
    expect(state.resumed).toBe(0);
  });

  it('a duplicate, whose step was not settled, is not missing a turn', async () => {
    const { emit, give, state } = setUp();
    await give(0, async () => emit('step.completed', { seq: 1, kind: 'remote' }));
    expect(state.resumed).toBe(0);
  });

  it('has its run resumed, too, where it was delivered before: an engine may have saved it and died', async () => {
    const { emit, give, state } = setUp();
    state.resume = async () => emit('run.suspended');
    await give(0, undefined, { receiveCount: 2 });
    expect(state.resumed).toBe(1);
  });

  it.each<RunStatus>(['completed', 'failed', 'cancelled', 'pending'])('leaves a run alone that is %s', async (status) => {
    const { give, state } = setUp();
    state.status = status;
    await give(0, undefined, { receiveCount: 2 });
    expect(state.resumed).toBe(0);
  });

  it('leaves a run alone that waits here for a step in memory: the engine would begin a second turn beside that one', async () => {
    const { emit, dispatch, give, state } = setUp();
    // A timer's turn.
    emit('step.started', { seq: 0, kind: 'remote' });
    dispatch(0);
    await pass(3_600_000);
    const given = give(1, undefined, { receiveCount: 2 });
    await pass(60_000);
    await given;
    expect(state.resumed).toBe(0);
  });

  it('rejects after a minute, so that the result is redelivered', async () => {
    const { emit, give, state } = setUp();
    const outcome = give(0, async ({ seq }) => emit('step.completed', { seq, kind: 'remote' }));
    const rejected = expect(outcome).rejects.toThrow(new RunLockedError('run'));
    await pass(70_000);
    await rejected;
    expect(state.resumed).toBeGreaterThan(30);
  });

  it('rejects as the engine does that cannot resume the run', async () => {
    const { give, state } = setUp();
    state.resume = async () => {
      throw new Error('store is down');
    };
    await expect(give(0, undefined, { receiveCount: 2 })).rejects.toThrow('store is down');
  });
});

describe('a turn that awaits a step in memory', () => {
  function begun() {
    const all = setUp();
    const turn = deferred<void>();
    const deleteEarly = vi.fn();
    const given = all.give(0, () => turn.promise, { deleteEarly });
    const awaits = (seq: number) => {
      all.emit('step.started', { seq, kind: 'remote' });
      all.dispatch(seq);
    };
    return { ...all, turn, given, deleteEarly, awaits };
  }

  it('has the message deleted of the result that began it, once the engine has saved that', async () => {
    const { emit, awaits, deleteEarly, turn, given } = begun();
    await pass();
    awaits(1);
    expect(deleteEarly).not.toHaveBeenCalled();
    emit('step.completed', { seq: 0, kind: 'remote' });
    awaits(2);
    expect(deleteEarly).toHaveBeenCalledOnce();
    emit('run.completed');
    turn.resolve();
    await given;
  });

  it('has nothing deleted for a durable step', async () => {
    const { emit, dispatch, deleteEarly } = begun();
    await pass();
    emit('step.completed', { seq: 0, kind: 'remote' });
    dispatch(1);
    expect(deleteEarly).not.toHaveBeenCalled();
  });

  it('has it deleted, too, while the run is being continued', async () => {
    const { emit, awaits, deleteEarly, turn, state } = begun();
    const resumed = deferred<void>();
    state.resume = () => resumed.promise;
    await pass();
    emit('step.completed', { seq: 0, kind: 'remote' });
    turn.resolve();
    await pass();
    expect(state.resumed).toBe(1);
    awaits(1);
    expect(deleteEarly).toHaveBeenCalledOnce();
  });
});
