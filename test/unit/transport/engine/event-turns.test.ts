import { describe, expect, it } from 'vitest';
import { EventTurns } from '../../../../src/transport/engine/event-turns.ts';

const QUIET_MS = 250;
const NEVER = Number.POSITIVE_INFINITY;

/** The turns of one run, on a clock that a test moves. */
function run() {
  const turns = new EventTurns();
  let now = 1_000_000;
  let withEngine = false;
  const ids = (seq: number) => ({ runId: 'run', seq, stepId: `run:${seq}` });
  const dispatch = (seq: number) => {
    turns.dispatching(ids(seq), withEngine, now);
    turns.happened('dispatched', now);
  };
  return {
    now: () => now,
    pass(ms: number) {
      now += ms;
    },
    started: () => turns.happened('started', now),
    suspended: () => turns.happened('suspended', now),
    over: () => turns.happened('over', now),
    announced: (seq: number) => turns.announced(seq, now),
    recorded: (seq: number) => turns.recorded(seq, now),
    dispatching: (seq: number) => turns.dispatching(ids(seq), withEngine, now),
    dispatched: () => turns.happened('dispatched', now),
    /** As the engine does it: the event of a durable step follows its dispatch. */
    durable(seq: number) {
      dispatch(seq);
      turns.announced(seq, now);
    },
    /** The event of a step with `timeoutMs` comes first, and once for all its attempts. */
    inMemory(seq: number) {
      turns.announced(seq, now);
      dispatch(seq);
    },
    again: dispatch,
    /** A result of the run goes to the engine. */
    given() {
      withEngine = true;
    },
    /** The engine has answered for it. */
    answered() {
      withEngine = false;
      turns.happened('answered', now);
    },
    awaits: (seq: number) => turns.awaits(seq),
    isAwaiting: () => turns.isAwaiting,
    freeAt: (seq: number) => turns.freeAt(ids(seq), withEngine, now),
    forgetAt: () => turns.forgetAt,
  };
}

describe('EventTurns: which steps a turn waits for in memory', () => {
  it('a step that was started before it was dispatched', () => {
    const { started, inMemory, awaits } = run();
    started();
    inMemory(0);
    expect(awaits(0)).toBe(true);
  });

  it('a further attempt of it, which has no event of its own', () => {
    const { started, inMemory, pass, again, awaits } = run();
    started();
    inMemory(0);
    pass(60_000);
    again(0);
    expect(awaits(0)).toBe(true);
  });

  it('several of one turn', () => {
    const { started, inMemory, awaits } = run();
    started();
    inMemory(0);
    inMemory(1);
    expect([awaits(0), awaits(1), awaits(2)]).toEqual([true, true, false]);
  });

  it('one of a turn that a result began', () => {
    const { started, durable, suspended, given, inMemory, awaits } = run();
    started();
    durable(0);
    suspended();
    given();
    inMemory(1);
    expect(awaits(1)).toBe(true);
  });

  it('one of a turn that nobody saw begin (a timer)', () => {
    const { inMemory, awaits } = run();
    inMemory(3);
    expect(awaits(3)).toBe(true);
  });

  it('none whose result the engine has saved', () => {
    const { started, inMemory, recorded, awaits, isAwaiting } = run();
    started();
    inMemory(0);
    expect(isAwaiting()).toBe(true);
    recorded(0);
    expect([awaits(0), isAwaiting()]).toEqual([false, false]);
  });

  it.each<[string, (turns: ReturnType<typeof run>) => void]>([
    ['a step that was dispatched before it was started', ({ started, durable }) => [started(), durable(0)]],
    ['one that was only announced: other instances announce theirs, too', ({ started, announced }) => [started(), announced(0)]],
    ['one of a turn that has ended', ({ started, inMemory, durable, suspended }) => [started(), inMemory(0), durable(1), suspended()]],
    [
      'a durable retry, which follows the event of the first attempt',
      // The turn of the failed result plans the retry; a timer dispatches it at once.
      ({ started, durable, suspended, again }) => [started(), durable(0), suspended(), suspended(), again(0)],
    ],
    ['a durable step that is dispatched again at once (redispatchPending)', ({ durable, again }) => [durable(0), again(0)]],
    [
      'a step whose first attempt another instance announced',
      ({ started, announced, suspended, again }) => [started(), announced(0), suspended(), again(0)],
    ],
    [
      'a step that another instance announced after the end of a turn here',
      ({ started, suspended, announced, again }) => [started(), suspended(), announced(0), suspended(), again(0)],
    ],
    [
      'a step that another instance announced in a turn whose end never came',
      ({ announced, pass, again }) => [announced(0), pass(QUIET_MS), again(0)],
    ],
    [
      'a straggler whose event comes long after the end of its turn',
      ({ started, durable, suspended, dispatching, pass, dispatched, announced, again }) => [
        ...[started(), durable(0), suspended(), dispatching(1), pass(10 * QUIET_MS), dispatched()],
        ...[announced(1), suspended(), again(1)],
      ],
    ],
  ])('none: %s', (_what, happen) => {
    const turns = run();
    happen(turns);
    expect([turns.awaits(0), turns.awaits(1)]).toEqual([false, false]);
  });
});

describe('EventTurns: when a result may go', () => {
  it('nothing is known of the run: at once', () => {
    expect(run().freeAt(0)).toBe(0);
  });

  it('never while another result of the run is with the engine', () => {
    const { started, durable, suspended, given, answered, freeAt } = run();
    given();
    expect(freeAt(0)).toBe(NEVER);
    started();
    durable(0);
    suspended();
    expect(freeAt(0)).toBe(NEVER);
    answered();
    expect(freeAt(0)).toBe(0);
  });

  it('never within a turn', () => {
    const { started, durable, pass, freeAt } = run();
    started();
    durable(0);
    pass(30_000);
    expect(freeAt(0)).toBe(NEVER);
  });

  it.each(['suspended', 'over'] as const)('%s is the end of a turn: at once', (end) => {
    const turns = run();
    turns.started();
    turns.durable(0);
    turns[end]();
    expect(turns.freeAt(0)).toBe(0);
  });

  it('never after the end of a step only', () => {
    const { started, durable, recorded, freeAt } = run();
    started();
    durable(0);
    recorded(0);
    expect(freeAt(0)).toBe(NEVER);
  });

  it('a while after the dispatch, where the engine answered for a result without an event: the turn has ended, or none began', () => {
    const { durable, pass, given, answered, freeAt, now } = run();
    given();
    durable(1);
    const dispatchedAt = now();
    pass(10);
    answered();
    expect(freeAt(1)).toBe(dispatchedAt + QUIET_MS);
  });

  it('a while after the dispatch of a timer, where the engine answered for a result meanwhile', () => {
    const { durable, given, answered, freeAt, now } = run();
    durable(1);
    given();
    answered();
    expect(freeAt(1)).toBe(now() + QUIET_MS);
  });

  it.each([
    ['that dispatched', 1],
    ['that dispatched nothing', 0],
  ])('a while after the dispatch of a turn that began after the end of the result’s own turn, %s', (_what, dispatches) => {
    const { durable, suspended, given, answered, freeAt, now } = run();
    given();
    if (dispatches > 0) durable(1);
    suspended();
    // The engine releases its lock; meanwhile a signal comes.
    durable(2);
    answered();
    expect(freeAt(2)).toBe(now() + QUIET_MS);
  });

  it('a while after SQS has accepted the dispatch of a turn that nobody saw begin', () => {
    const { dispatching, pass, dispatched, freeAt, now } = run();
    dispatching(4);
    // SQS takes its time; the turn writes `suspended` only then.
    pass(10 * QUIET_MS);
    dispatched();
    expect(freeAt(4)).toBe(now() + QUIET_MS);
  });

  it('never while a dispatch is under way, whatever else ends meanwhile: the worker may have had the task for long', () => {
    const { dispatching, dispatched, pass, suspended, over, freeAt, forgetAt, now } = run();
    dispatching(0);
    pass(QUIET_MS * 10);
    expect(freeAt(0)).toBe(NEVER);
    suspended();
    over();
    expect(freeAt(0)).toBe(NEVER);
    dispatching(1);
    dispatched();
    expect([freeAt(0), forgetAt()]).toEqual([NEVER, NEVER]);
    dispatched();
    expect(freeAt(0)).toBe(now() + QUIET_MS);
    suspended();
    pass(QUIET_MS);
    expect(freeAt(0)).toBe(0);
    expect(forgetAt()).toBeLessThanOrEqual(now());
  });

  it('the end of a turn is seen that nobody saw begin: at once', () => {
    const { durable, suspended, freeAt } = run();
    durable(4);
    suspended();
    expect(freeAt(4)).toBe(0);
  });

  it.each([
    ['a short sleep', 0],
    ['a quick retry', 1],
  ])('a while after the dispatch of a turn that begins right after the end of another: %s', (_what, dispatchedBefore) => {
    const { started, durable, suspended, pass, again, freeAt, now } = run();
    started();
    if (dispatchedBefore > 0) durable(0);
    suspended();
    pass(QUIET_MS / 2);
    again(0);
    expect(freeAt(0)).toBe(now() + QUIET_MS);
    suspended();
    expect(freeAt(0)).toBe(0);
  });

  it('a fan-out: when no sibling has been dispatched for a while', () => {
    const { started, durable, suspended, pass, freeAt, now } = run();
    started();
    durable(0);
    durable(1);
    suspended();
    pass(100);
    durable(2);
    expect(freeAt(0)).toBe(now() + QUIET_MS);
    expect(freeAt(2)).toBe(now() + QUIET_MS);
    pass(QUIET_MS);
    expect(freeAt(0)).toBe(0);
  });

  it('a fan-out that is seen whole: a while after its last dispatch', () => {
    const { started, durable, suspended, pass, freeAt, now } = run();
    started();
    durable(0);
    durable(1);
    suspended();
    const dispatchedAt = now();
    pass(100);
    expect(freeAt(0)).toBe(dispatchedAt + QUIET_MS);
  });

  it('a fan-out of the turn that a result began: a while after its last dispatch', () => {
    const { durable, suspended, given, answered, freeAt, now } = run();
    given();
    durable(1);
    durable(2);
    suspended();
    answered();
    expect(freeAt(1)).toBe(now() + QUIET_MS);
  });

  it('a fan-out that only shows after its turn has ended: a while after its last dispatch', () => {
    const { started, durable, suspended, freeAt, now } = run();
    started();
    durable(0);
    suspended();
    durable(1);
    expect(freeAt(0)).toBe(now() + QUIET_MS);
  });

  it('a fan-out whose stragglers come while the result that began it is with the engine: a while after the last one', () => {
    const { durable, suspended, given, answered, freeAt, now } = run();
    given();
    durable(1);
    durable(2);
    suspended();
    durable(3);
    answered();
    expect(freeAt(1)).toBe(now() + QUIET_MS);
  });

  it('steps that were awaited in memory make no fan-out', () => {
    const { started, inMemory, durable, suspended, freeAt } = run();
    started();
    inMemory(0);
    inMemory(1);
    durable(2);
    suspended();
    expect(freeAt(2)).toBe(0);
  });

  it('steps of two turns make no fan-out', () => {
    const { started, durable, suspended, given, answered, freeAt } = run();
    started();
    durable(0);
    suspended();
    for (const seq of [1, 2]) {
      given();
      durable(seq);
      expect(freeAt(seq)).toBe(NEVER);
      suspended();
      answered();
      expect(freeAt(seq)).toBe(0);
    }
  });

  it('steps of two turns make no fan-out, where the second one begins a while after the first has ended', () => {
    const { started, durable, suspended, pass, freeAt } = run();
    started();
    durable(0);
    suspended();
    pass(QUIET_MS);
    durable(1);
    suspended();
    expect(freeAt(1)).toBe(0);
  });

  it('a run that is started anew has no turn behind it', () => {
    const { started, inMemory, durable, awaits, pass, freeAt } = run();
    started();
    inMemory(0);
    durable(1);
    started();
    expect(awaits(0)).toBe(false);
    durable(0);
    pass(10 * QUIET_MS);
    expect(freeAt(0)).toBe(NEVER);
  });
});

describe('EventTurns: when nothing of a run matters any more', () => {
  it('never while a dispatch is under way', () => {
    const { dispatching, pass, dispatched, forgetAt, now } = run();
    dispatching(0);
    pass(QUIET_MS);
    expect(forgetAt()).toBe(NEVER);
    dispatched();
    expect(forgetAt()).toBe(now() + QUIET_MS);
  });

  it('the run is over: at once', () => {
    const { started, durable, over, forgetAt } = run();
    started();
    durable(0);
    expect(forgetAt()).toBe(NEVER);
    over();
    expect(forgetAt()).toBe(0);
  });

  it.each<[string, (turns: ReturnType<typeof run>) => void]>([
    ['a suspended run', ({ started, durable, suspended }) => [started(), durable(0), suspended()]],
    ['a turn that nobody saw begin', ({ durable }) => durable(0)],
    ['one that waited in memory', ({ inMemory, recorded }) => [inMemory(0), recorded(0)]],
    ['a straggler after the end of the run', ({ started, over, durable }) => [started(), over(), durable(1)]],
    ['what another instance announced', ({ announced }) => announced(0)],
    ['a turn that a result began', ({ durable, given, answered }) => [given(), durable(0), answered()]],
  ])('%s: a while later', (_what, happen) => {
    const turns = run();
    happen(turns);
    expect(turns.forgetAt()).toBe(turns.now() + QUIET_MS);
  });

  it.each<[string, (turns: ReturnType<typeof run>) => void]>([
    ['an end of which the beginning was not seen', ({ suspended }) => suspended()],
    ['a result that began no turn', ({ given, answered }) => [given(), answered()]],
  ])('%s: at once', (_what, happen) => {
    const turns = run();
    happen(turns);
    expect(turns.forgetAt()).toBe(0);
  });

  it('never while a turn goes on, or waits in memory, however long', () => {
    const seen = run();
    seen.started();
    seen.inMemory(0);
    const unseen = run();
    unseen.inMemory(0);
    for (const { pass, forgetAt, awaits } of [seen, unseen]) {
      pass(3_600_000);
      expect([forgetAt(), awaits(0)]).toEqual([NEVER, true]);
    }
  });
});
