import type { EngineEventType } from '@dudousxd/nestjs-durable-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { steadyNow } from '../../../src/time.ts';
import { EventTurns } from '../../../src/transport/event-turns.ts';
import { TimedTurns } from '../../../src/transport/timed-turns.ts';

const QUIET_MS = 250;
const NEVER = Number.POSITIVE_INFINITY;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const step = (seq: number, runId = 'run') => ({ runId, seq, stepId: `${runId}:${seq}` });

/** What one run's events and dispatches make of its turns. */
function eventTurns(runId = 'run') {
  const ends: string[] = [];
  const turns = new EventTurns((id) => ends.push(id), QUIET_MS);
  const emit = (type: EngineEventType, fields: { seq?: number; kind?: 'remote' | 'local' } = {}) =>
    turns.event({ type, runId, at: new Date(), ...fields });
  return {
    turns,
    ends,
    emit,
    /** As the engine does it: the event of a durable step follows its dispatch. */
    durable(seq: number) {
      turns.dispatching(step(seq, runId));
      turns.dispatched(step(seq, runId));
      emit('step.started', { seq, kind: 'remote' });
    },
    /** The event of a step with `timeoutMs` comes first, and once for all its attempts. */
    inMemory(seq: number) {
      emit('step.started', { seq, kind: 'remote' });
      turns.dispatching(step(seq, runId));
      turns.dispatched(step(seq, runId));
    },
    again(seq: number) {
      turns.dispatching(step(seq, runId));
      turns.dispatched(step(seq, runId));
    },
    passes: (seq: number) => turns.passesThrough(step(seq, runId)),
    readyAt: (seq: number) => turns.readyAt(step(seq, runId)),
    /** A result of the run goes to the engine, and is taken. */
    delivering: () => turns.delivering(runId),
    delivered: () => turns.delivered(runId),
  };
}

describe('EventTurns: which steps a turn waits for in memory', () => {
  it('a step that was started before it was dispatched', () => {
    const { emit, inMemory, passes } = eventTurns();
    emit('run.started');
    inMemory(0);
    expect(passes(0)).toBe(true);
  });

  it('not one that was dispatched before it was started', () => {
    const { emit, durable, passes } = eventTurns();
    emit('run.started');
    durable(0);
    expect(passes(0)).toBe(false);
  });

  it('not one that was only announced: other instances announce theirs too', () => {
    const { emit, passes } = eventTurns();
    emit('run.started');
    emit('step.started', { seq: 0, kind: 'remote' });
    expect(passes(0)).toBe(false);
  });

  it('not a local step of the same position', () => {
    const { emit, again, passes } = eventTurns();
    emit('run.started');
    emit('step.started', { seq: 0, kind: 'local' });
    again(0);
    expect(passes(0)).toBe(false);
  });

  it('a further attempt, which has no event of its own', () => {
    const { emit, inMemory, again, passes } = eventTurns();
    emit('run.started');
    inMemory(0);
    vi.advanceTimersByTime(60_000);
    again(0);
    expect(passes(0)).toBe(true);
  });

  it('several of one turn', () => {
    const { emit, inMemory, passes } = eventTurns();
    emit('run.started');
    inMemory(0);
    inMemory(1);
    expect([passes(0), passes(1), passes(2)]).toEqual([true, true, false]);
  });

  it('one of a turn that a result began', () => {
    const { emit, durable, inMemory, passes, delivering } = eventTurns();
    emit('run.started');
    durable(0);
    emit('run.suspended');
    delivering();
    inMemory(1);
    expect(passes(1)).toBe(true);
  });

  it('one of a turn that nobody saw begin (a timer)', () => {
    const { inMemory, passes } = eventTurns();
    inMemory(3);
    expect(passes(3)).toBe(true);
  });

  it('none once the turn has ended', () => {
    const { emit, inMemory, durable, passes } = eventTurns();
    emit('run.started');
    inMemory(0);
    durable(1);
    emit('run.suspended');
    expect(passes(0)).toBe(false);
  });

  it('a durable step is not taken for one because its retry follows the event of its first attempt', () => {
    const { emit, durable, again, passes } = eventTurns();
    emit('run.started');
    durable(0);
    emit('run.suspended');
    // The failed result's turn plans the retry; a timer dispatches it at once.
    emit('run.suspended');
    again(0);
    expect(passes(0)).toBe(false);
  });

  it('nor when it is dispatched again at once (redispatchPending)', () => {
    const { durable, again, passes } = eventTurns();
    durable(0);
    again(0);
    expect(passes(0)).toBe(false);
  });

  it('nor because another instance announced its first attempt', () => {
    const { emit, again, passes } = eventTurns();
    emit('run.started');
    emit('step.started', { seq: 0, kind: 'remote' });
    emit('run.suspended');
    again(0);
    expect(passes(0)).toBe(false);
  });

  it('nor because another instance announced it in a turn whose end never came', () => {
    const { emit, again, passes } = eventTurns();
    emit('step.started', { seq: 0, kind: 'remote' });
    vi.advanceTimersByTime(QUIET_MS);
    again(0);
    expect(passes(0)).toBe(false);
  });

  it('nor a straggler whose event comes long after the end of its turn', () => {
    const { turns, emit, durable, again, passes } = eventTurns();
    emit('run.started');
    durable(0);
    emit('run.suspended');
    turns.dispatching(step(1));
    vi.advanceTimersByTime(10 * QUIET_MS);
    turns.dispatched(step(1));
    emit('step.started', { seq: 1, kind: 'remote' });
    emit('run.suspended');
    again(1);
    expect(passes(1)).toBe(false);
  });
});

describe('EventTurns: when a result may go', () => {
  it('at once where nothing is known of the run', () => {
    expect(eventTurns().readyAt(0)).toBe(0);
  });

  it('never while another result of the run is with the engine', () => {
    const { emit, durable, readyAt, delivering, delivered } = eventTurns();
    delivering();
    expect(readyAt(0)).toBe(NEVER);
    emit('run.started');
    durable(0);
    emit('run.suspended');
    expect(readyAt(0)).toBe(NEVER);
    delivered();
    expect(readyAt(0)).toBe(0);
  });

  it('not before the turn has ended', () => {
    const { emit, durable, readyAt } = eventTurns();
    emit('run.started');
    durable(0);
    vi.advanceTimersByTime(30_000);
    expect(readyAt(0)).toBe(NEVER);
  });

  it.each<EngineEventType>(['run.suspended', 'run.blocked', 'run.completed', 'run.failed'])('%s ends a turn', (type) => {
    const { ends, emit, durable, readyAt } = eventTurns();
    emit('run.started');
    durable(0);
    emit(type);
    expect(readyAt(0)).toBe(0);
    expect(ends).toEqual(['run']);
  });

  it.each<EngineEventType>(['step.completed', 'step.failed', 'step.progress'])('%s does not', (type) => {
    const { ends, emit, durable, readyAt } = eventTurns();
    emit('run.started');
    durable(0);
    emit(type, { seq: 0, kind: 'remote' });
    expect(readyAt(0)).toBe(NEVER);
    expect(ends).toEqual([]);
  });

  it('a while after its dispatch, where a delivery ended without an event: its turn has ended, or it began none', () => {
    const { durable, readyAt, delivering, delivered } = eventTurns();
    delivering();
    durable(1);
    const dispatchedAt = steadyNow();
    vi.advanceTimersByTime(10);
    delivered();
    expect(readyAt(1)).toBe(dispatchedAt + QUIET_MS);
  });

  it('it ends no other turn: a timer may have begun one meanwhile', () => {
    const { ends, durable, readyAt, delivering, delivered } = eventTurns();
    durable(1);
    delivering();
    delivered();
    expect(readyAt(1)).toBe(steadyNow() + QUIET_MS);
    expect(ends).toEqual([]);
  });

  it.each([
    ['that dispatched', 1],
    ['that dispatched nothing', 0],
  ])('nor one that begins after the event that ended its own %s', (_what, dispatches) => {
    const { emit, durable, readyAt, delivering, delivered } = eventTurns();
    delivering();
    if (dispatches > 0) durable(1);
    emit('run.suspended');
    // The engine releases its lock; meanwhile a signal comes.
    durable(2);
    delivered();
    expect(readyAt(2)).toBe(steadyNow() + QUIET_MS);
  });

  it('of a turn that nobody saw begin: a while after its dispatch was accepted', () => {
    const { turns, readyAt } = eventTurns();
    turns.dispatching(step(4));
    // SQS takes its time; the turn writes `suspended` only then.
    vi.advanceTimersByTime(10 * QUIET_MS);
    turns.dispatched(step(4));
    expect(readyAt(4)).toBe(steadyNow() + QUIET_MS);
  });

  it('of such a turn, never while a dispatch is under way, whatever else ends meanwhile: SQS may have had the task for long', () => {
    const { turns, emit, readyAt } = eventTurns();
    turns.dispatching(step(0));
    vi.advanceTimersByTime(QUIET_MS * 10);
    expect(readyAt(0)).toBe(NEVER);
    emit('run.suspended');
    emit('run.completed');
    expect(readyAt(0)).toBe(NEVER);
    turns.dispatching(step(1));
    turns.dispatched(step(1));
    expect(readyAt(0)).toBe(NEVER);
    turns.dispatched(step(0));
    expect(readyAt(0)).toBe(steadyNow() + QUIET_MS);
    emit('run.suspended');
    vi.advanceTimersByTime(QUIET_MS);
    expect(readyAt(0)).toBeLessThanOrEqual(steadyNow());
    expect(turns.size).toBe(0);
  });

  it('of such a turn, at once when its end is seen', () => {
    const { ends, emit, durable, readyAt } = eventTurns();
    durable(4);
    emit('run.suspended');
    expect(readyAt(4)).toBe(0);
    expect(ends).toEqual(['run']);
  });

  it.each([
    ['a short sleep', 0],
    ['a quick retry', 1],
  ])('of a turn that begins right after the end of another: %s', (_what, dispatchedBefore) => {
    const { emit, durable, again, readyAt } = eventTurns();
    emit('run.started');
    if (dispatchedBefore > 0) durable(0);
    emit('run.suspended');
    vi.advanceTimersByTime(QUIET_MS / 2);
    again(0);
    expect(readyAt(0)).toBe(steadyNow() + QUIET_MS);
    emit('run.suspended');
    expect(readyAt(0)).toBe(0);
  });

  it('of a fan-out: when no sibling has been dispatched for a while', () => {
    const { emit, durable, readyAt } = eventTurns();
    emit('run.started');
    durable(0);
    durable(1);
    emit('run.suspended');
    vi.advanceTimersByTime(100);
    durable(2);
    expect(readyAt(0)).toBe(steadyNow() + QUIET_MS);
    expect(readyAt(2)).toBe(steadyNow() + QUIET_MS);
    vi.advanceTimersByTime(QUIET_MS);
    expect(readyAt(0)).toBe(0);
  });

  it('of a fan-out that is seen whole: a while after its last dispatch', () => {
    const { emit, durable, readyAt } = eventTurns();
    emit('run.started');
    durable(0);
    durable(1);
    emit('run.suspended');
    const dispatchedAt = steadyNow();
    vi.advanceTimersByTime(100);
    expect(readyAt(0)).toBe(dispatchedAt + QUIET_MS);
  });

  it('of a fan-out of the turn that a result began: so too', () => {
    const { emit, durable, readyAt, delivering, delivered } = eventTurns();
    delivering();
    durable(1);
    durable(2);
    emit('run.suspended');
    delivered();
    expect(readyAt(1)).toBe(steadyNow() + QUIET_MS);
  });

  it('of a fan-out that only shows after its turn has ended', () => {
    const { emit, durable, readyAt } = eventTurns();
    emit('run.started');
    durable(0);
    emit('run.suspended');
    durable(1);
    expect(readyAt(0)).toBe(steadyNow() + QUIET_MS);
  });

  it('of a fan-out whose stragglers come while the result that began it is still with the engine', () => {
    const { emit, durable, readyAt, delivering, delivered } = eventTurns();
    delivering();
    durable(1);
    durable(2);
    emit('run.suspended');
    durable(3);
    delivered();
    expect(readyAt(1)).toBe(steadyNow() + QUIET_MS);
  });

  it('steps that were awaited in memory make no fan-out', () => {
    const { emit, inMemory, durable, readyAt } = eventTurns();
    emit('run.started');
    inMemory(0);
    inMemory(1);
    durable(2);
    emit('run.suspended');
    expect(readyAt(2)).toBe(0);
  });

  it('steps of two turns make no fan-out either', () => {
    const { emit, durable, readyAt, delivering, delivered } = eventTurns();
    emit('run.started');
    durable(0);
    emit('run.suspended');
    for (const seq of [1, 2]) {
      delivering();
      durable(seq);
      expect(readyAt(seq)).toBe(NEVER);
      emit('run.suspended');
      delivered();
      expect(readyAt(seq)).toBe(0);
    }
  });

  it('a run that is started anew begins with a clean slate', () => {
    const { turns, emit, durable, inMemory, passes, readyAt } = eventTurns();
    emit('run.started');
    inMemory(0);
    durable(1);
    emit('run.started');
    expect(passes(0)).toBe(false);
    durable(0);
    vi.advanceTimersByTime(10 * QUIET_MS);
    expect(readyAt(0)).toBe(NEVER);
    expect(turns.size).toBe(1);
  });

  it('runs do not know of each other', () => {
    const { turns, emit, durable } = eventTurns();
    emit('run.started');
    durable(0);
    expect(turns.readyAt(step(0, 'other'))).toBe(0);
    expect(turns.passesThrough(step(0, 'other'))).toBe(false);
  });
});

describe('EventTurns: whether a turn came of a result', () => {
  function delivery() {
    const run = eventTurns();
    run.delivering();
    return { ...run, missing: (seq: number) => run.turns.turnMissing(step(seq)), mayContinue: () => run.turns.mayContinue('run') };
  }

  it('is missing where the step was settled and no turn ended', () => {
    const { emit, missing, mayContinue } = delivery();
    emit('step.completed', { seq: 0, kind: 'remote' });
    expect([missing(0), mayContinue()]).toEqual([true, true]);
    expect(missing(1)).toBe(false);
  });

  it.each<EngineEventType>(['run.suspended', 'run.blocked', 'run.completed', 'run.failed'])('came with %s', (type) => {
    const { emit, missing, mayContinue } = delivery();
    emit('step.failed', { seq: 0, kind: 'remote' });
    emit(type);
    expect([missing(0), mayContinue()]).toEqual([false, false]);
  });

  it('is not missing where the step was not settled: a duplicate', () => {
    expect(delivery().missing(0)).toBe(false);
  });

  it('is not missing of what passes through: no result is with the engine', () => {
    const { turns, emit, inMemory } = eventTurns();
    emit('run.started');
    inMemory(0);
    emit('step.completed', { seq: 0, kind: 'remote' });
    expect([turns.turnMissing(step(0)), turns.mayContinue('run')]).toEqual([false, false]);
  });

  it.each<EngineEventType>(['step.completed', 'step.failed'])(
    'and the result is saved with %s, not before, and not that of another step',
    (type) => {
      const { turns, emit, delivering } = eventTurns();
      emit(type, { seq: 0, kind: 'remote' });
      expect(turns.saved(step(0))).toBe(false);
      delivering();
      expect(turns.saved(step(0))).toBe(false);
      emit(type, { seq: 0, kind: 'remote' });
      expect([turns.saved(step(0)), turns.saved(step(1)), turns.saved(step(0, 'other'))]).toEqual([true, false, false]);
    },
  );

  it('is asked of each delivery anew', () => {
    const { emit, delivered, delivering, missing } = delivery();
    emit('step.completed', { seq: 0, kind: 'remote' });
    emit('run.suspended');
    delivered();
    delivering();
    emit('step.completed', { seq: 1, kind: 'remote' });
    expect([missing(0), missing(1)]).toEqual([false, true]);
  });

  it('the run may not be continued while a turn of it waits here for a step, however long', () => {
    const { inMemory, delivering, turns, emit } = eventTurns();
    // A timer's turn.
    inMemory(0);
    vi.advanceTimersByTime(3_600_000);
    delivering();
    expect(turns.mayContinue('run')).toBe(false);
    emit('step.completed', { seq: 0, kind: 'remote' });
    expect(turns.mayContinue('run')).toBe(true);
  });
});

describe('EventTurns forgets', () => {
  it('nothing of a dispatch or a delivery that goes on', () => {
    const { turns, delivering, delivered } = eventTurns();
    turns.dispatching(step(0));
    delivering();
    expect(turns.size).toBe(3);
    delivered();
    vi.advanceTimersByTime(QUIET_MS);
    expect(turns.size).toBe(1);
    turns.dispatched(step(0));
    vi.advanceTimersByTime(QUIET_MS);
    expect(turns.size).toBe(0);
  });

  it.each<EngineEventType>(['run.completed', 'run.failed'])('a run at once on %s', (type) => {
    const { turns, emit, durable } = eventTurns();
    emit('run.started');
    durable(0);
    expect(turns.size).toBe(1);
    emit(type);
    expect(turns.size).toBe(0);
  });

  it.each<[string, (run: ReturnType<typeof eventTurns>) => void]>([
    ['a suspended run', ({ emit, durable }) => [emit('run.started'), durable(0), emit('run.suspended')]],
    ['a turn that nobody saw begin', ({ durable }) => durable(0)],
    ['one that waited in memory', ({ inMemory, emit }) => [inMemory(0), emit('step.completed', { seq: 0, kind: 'remote' })]],
    ['a straggler after the end of the run', ({ emit, durable }) => [emit('run.started'), emit('run.completed'), durable(1)]],
    ['what another instance announced', ({ emit }) => emit('step.started', { seq: 0, kind: 'remote' })],
    ['an end of which the beginning was not seen', ({ emit }) => emit('run.suspended')],
    ['a turn that a delivery began', ({ durable, delivering, delivered }) => [delivering(), durable(0), delivered()]],
    ['a delivery that brought no turn', ({ delivering, delivered }) => [delivering(), delivered()]],
  ])('%s after a while', (_what, happen) => {
    const run = eventTurns();
    happen(run);
    vi.advanceTimersByTime(QUIET_MS);
    expect(run.turns.size).toBe(0);
  });

  it('nothing of an open turn, however long it takes', () => {
    const { turns, emit, inMemory, passes } = eventTurns();
    emit('run.started');
    inMemory(0);
    vi.advanceTimersByTime(3_600_000);
    expect(turns.size).toBe(1);
    expect(passes(0)).toBe(true);
  });

  it('no later turn of the run because an earlier one has been quiet', () => {
    const { emit, durable, inMemory, passes, delivering } = eventTurns();
    emit('run.started');
    durable(0);
    emit('run.suspended');
    delivering();
    inMemory(1);
    vi.advanceTimersByTime(10 * QUIET_MS);
    expect(passes(1)).toBe(true);
  });
});

describe('TimedTurns', () => {
  const HOLD_MS = 250;

  it('lets a result of an unknown step go at once', () => {
    expect(new TimedTurns(HOLD_MS).readyAt(step(0))).toBe(0);
  });

  it('holds a result from the moment its dispatch was accepted', () => {
    const turns = new TimedTurns(HOLD_MS);
    turns.dispatching(step(0));
    expect(turns.readyAt(step(0))).toBe(steadyNow() + HOLD_MS);
    vi.advanceTimersByTime(100);
    turns.dispatched(step(0));
    expect(turns.readyAt(step(0))).toBe(steadyNow() + HOLD_MS);
  });

  it('even where SQS took longer than the hold to accept it', () => {
    const turns = new TimedTurns(HOLD_MS);
    turns.dispatching(step(0));
    vi.advanceTimersByTime(10 * HOLD_MS);
    turns.dispatched(step(0));
    expect(turns.readyAt(step(0))).toBe(steadyNow() + HOLD_MS);
  });

  it('passes nothing through', () => {
    const turns = new TimedTurns(HOLD_MS);
    turns.dispatching(step(0));
    expect(turns.passesThrough()).toBe(false);
  });

  it('lets siblings of the result that is with the engine wait for it', () => {
    const turns = new TimedTurns(HOLD_MS);
    for (const seq of [0, 1]) {
      turns.dispatching(step(seq));
      turns.dispatched(step(seq));
    }
    turns.delivering('run');
    expect(turns.readyAt(step(1))).toBe(NEVER);
    vi.advanceTimersByTime(HOLD_MS);
    expect(turns.readyAt(step(1))).toBe(NEVER);
    turns.delivered('run');
    expect(turns.readyAt(step(1))).toBe(0);
  });

  it('lets a step that was dispatched by the result that is with the engine go after the hold: its turn may wait for it', () => {
    const turns = new TimedTurns(HOLD_MS);
    turns.delivering('run');
    turns.dispatching(step(1));
    turns.dispatched(step(1));
    expect(turns.readyAt(step(1))).toBe(steadyNow() + HOLD_MS);
  });

  it('however long its worker takes', () => {
    const turns = new TimedTurns(HOLD_MS);
    turns.delivering('run');
    turns.dispatching(step(1));
    turns.dispatched(step(1));
    vi.advanceTimersByTime(100 * HOLD_MS);
    expect(turns.readyAt(step(1))).toBe(0);
  });

  it('lets such a step go at once when the engine is done with that result: the turn has ended', () => {
    const turns = new TimedTurns(HOLD_MS);
    turns.delivering('run');
    turns.dispatching(step(1));
    turns.dispatched(step(1));
    turns.delivered('run');
    expect(turns.readyAt(step(1))).toBe(0);
    // Of an earlier turn now, it is one more sibling.
    turns.delivering('run');
    expect(turns.readyAt(step(1))).toBe(NEVER);
  });

  it('remembers nothing longer than it matters', () => {
    const turns = new TimedTurns(HOLD_MS);
    for (let seq = 0; seq < 100; seq += 1) {
      if (seq % 2 === 0) turns.delivering(`run-${seq % 7}`);
      turns.dispatching(step(seq, `run-${seq % 7}`));
      if (seq % 3 === 0) turns.dispatched(step(seq, `run-${seq % 7}`));
      vi.advanceTimersByTime(10);
    }
    expect(turns.size).toBeGreaterThan(0);
    for (let run = 0; run < 7; run += 1) turns.delivered(`run-${run}`);
    vi.advanceTimersByTime(HOLD_MS);
    expect(turns.size).toBe(0);
  });
});
