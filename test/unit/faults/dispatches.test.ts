import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Dispatches } from '../../faults/dispatches.ts';
import type { Turn, TurnOrigin } from '../../faults/turn.ts';

const turnOf = (origin: TurnOrigin): Turn => ({ origin, begunAt: new Map(), brokenAt: new Map(), endedAt: new Map() });

/** The book, and what happens to step 0 of run `r`, a millisecond after another. */
function book() {
  const dispatches = new Dispatches();
  const tick = () => vi.advanceTimersByTime(1);
  return {
    dispatches,
    reads(turn: Turn) {
      tick();
      turn.begunAt.set('r', Date.now());
    },
    storeFails(turn: Turn) {
      tick();
      turn.brokenAt.set('r', Date.now());
    },
    ends(turn: Turn) {
      tick();
      turn.endedAt.set('r', Date.now());
    },
    dispatch(turn: Turn, caller = 'engine1', attempt = 1) {
      tick();
      dispatches.dispatched('r:0', attempt, caller, turn);
    },
    dispatchAndWait(turn: Turn) {
      tick();
      dispatches.dispatched('r:0', 1, 'engine1', turn, true);
    },
    whys: () => dispatches.again().map(({ why }) => why),
  };
}

describe('the book of dispatches', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('says nothing about an attempt that was dispatched once', () => {
    const { dispatch, whys } = book();
    dispatch(turnOf('start'));
    dispatch(turnOf('result'), 'engine1', 2);
    expect(whys()).toEqual([]);
  });

  it('explains a second dispatch by the death of the first dispatcher, and not by that of another', () => {
    const { dispatches, dispatch, whys } = book();
    dispatch(turnOf('start'));
    dispatches.died('engine2');
    dispatch(turnOf('pass'), 'engine3');
    expect(whys()).toEqual(['none']);
    dispatches.died('engine3');
    dispatch(turnOf('pass'), 'engine4');
    expect(whys()).toEqual(['none', 'its dispatcher was killed']);
  });

  it("explains a second dispatch of a step with timeoutMs by two passes at once while the first one's turn waits for its result", () => {
    const { reads, ends, dispatchAndWait, whys } = book();
    const [first, second, third] = [turnOf('pass'), turnOf('pass'), turnOf('pass')];
    reads(first);
    dispatchAndWait(first);
    reads(second);
    dispatchAndWait(second);
    expect(whys()).toEqual(["two turns at once on one instance: an engine's pass beside another"]);
    ends(first);
    ends(second);
    reads(third);
    dispatchAndWait(third);
    expect(whys()[1]).toBe('none');
  });

  it('explains a second dispatch by a store that failed in the turn of the first, and not in the turn of the second', () => {
    const first = turnOf('start');
    const { dispatch, storeFails, whys } = book();
    const second = turnOf('pass');
    dispatch(first);
    storeFails(second);
    dispatch(second);
    expect(whys()).toEqual(['none']);
    const third = turnOf('pass');
    dispatch(third);
    expect(whys()).toEqual(['none', 'the store failed in the turn that had dispatched it']);
  });

  it('explains a second dispatch by a pass that had read the run before the first, on one instance', () => {
    const { dispatch, reads, whys } = book();
    const [pass, result] = [turnOf('pass'), turnOf('result')];
    reads(pass);
    reads(result);
    dispatch(result);
    dispatch(pass);
    expect(whys()).toEqual(["two turns at once on one instance: an engine's pass beside another"]);
  });

  it.each([
    ['the pass read the run after the first dispatch', 'pass', true, 'engine1'],
    ['results alone began the turns', 'result', false, 'engine1'],
    ['the turns were on two instances', 'pass', false, 'engine2'],
  ] as const)('leaves a second dispatch unexplained when %s', (_why, origin, readsLate, caller) => {
    const { dispatch, reads, whys } = book();
    const [first, second] = [turnOf('result'), turnOf(origin)];
    if (!readsLate) reads(second);
    dispatch(first);
    if (readsLate) reads(second);
    dispatch(second, caller);
    expect(whys()).toEqual(['none']);
  });

  it.each([
    ['the late branch dispatched last', true],
    ['the late branch dispatched first', false],
  ])('explains two dispatches by two instances by a branch that had outlived its turn, and a pass: %s', (_order, lateLast) => {
    const { dispatch, reads, ends, whys } = book();
    const [ended, pass] = [turnOf('start'), turnOf('pass')];
    reads(ended);
    ends(ended);
    reads(pass);
    if (lateLast) dispatch(pass, 'engine2');
    dispatch(ended, 'engine1');
    if (!lateLast) dispatch(pass, 'engine2');
    expect(whys()).toEqual(['a pass began the run again before a branch of a turn that had ended dispatched it']);
  });

  it.each([
    ['the late branch dispatched last', true],
    ['the late branch dispatched first', false],
  ])('explains two dispatches by two results on one instance by a branch that had outlived its turn: %s', (_order, lateLast) => {
    const { dispatch, reads, ends, whys } = book();
    const [ended, next] = [turnOf('result'), turnOf('result')];
    reads(ended);
    ends(ended);
    reads(next);
    if (lateLast) dispatch(next);
    dispatch(ended);
    if (!lateLast) dispatch(next);
    expect(whys()).toEqual(['a branch of a turn that had ended dispatched it, beside the turn of the next result']);
  });

  it('leaves two dispatches by two results on one instance unexplained when neither turn had ended', () => {
    const { dispatch, reads, whys } = book();
    const [first, second] = [turnOf('result'), turnOf('result')];
    reads(first);
    reads(second);
    dispatch(first);
    dispatch(second);
    expect(whys()).toEqual(['none']);
  });

  it.each([
    ['no pass was one of the turns', 'result', true],
    ['the turn had not ended', 'pass', false],
  ] as const)('leaves two dispatches by two instances unexplained when %s', (_why, origin, hasEnded) => {
    const { dispatch, reads, ends, whys } = book();
    const [first, second] = [turnOf('start'), turnOf(origin)];
    reads(first);
    if (hasEnded) ends(first);
    reads(second);
    dispatch(second, 'engine2');
    dispatch(first, 'engine1');
    if (!hasEnded) ends(first);
    expect(whys()).toEqual(['none']);
  });

  it('knows a step that two turns await by the lease that ran out between their dispatches', () => {
    const { dispatches, dispatch } = book();
    dispatches.locked('r', 'engine1');
    dispatch(turnOf('start'));
    dispatches.locked('r', 'engine1');
    dispatch(turnOf('pass'));
    expect(dispatches.awaitedTwice('r:0')).toBe(true);
  });

  it('knows it too where the lease ran out before the first of them: the turn went on without its lock', () => {
    const { dispatches, dispatch, reads, whys } = book();
    const [start, pass] = [turnOf('start'), turnOf('pass')];
    dispatches.locked('r', 'engine1');
    reads(start);
    vi.advanceTimersByTime(1);
    dispatches.locked('r', 'engine1');
    dispatch(start);
    reads(pass);
    dispatch(pass);
    expect(whys()).toEqual(['the lease on its run ran out in the store outage, beside the turn that had dispatched it']);
    expect(dispatches.awaitedTwice('r:0')).toBe(true);
  });

  it('tells the lease of the previous turn from that of the turn that dispatched it first', () => {
    const { dispatches, dispatch, reads, whys } = book();
    const [start, pass] = [turnOf('start'), turnOf('pass')];
    dispatches.locked('r', 'engine1');
    dispatches.locked('r', 'engine1');
    reads(start);
    dispatch(start);
    dispatches.released('r');
    reads(pass);
    dispatch(pass);
    expect(whys()).toEqual(['none']);
  });

  it('knows it too where an engine that died had dispatched the step before', () => {
    const { dispatches, dispatch } = book();
    dispatch(turnOf('start'), 'engine0');
    dispatches.died('engine0');
    dispatches.locked('r', 'engine1');
    dispatch(turnOf('pass'));
    dispatches.locked('r', 'engine1');
    dispatch(turnOf('pass'));
    expect(dispatches.awaitedTwice('r:0')).toBe(true);
  });

  it('knows a run of which the lease of a live turn ran out, and no other', () => {
    const { dispatches } = book();
    for (const runId of ['alive', 'dead', 'released']) dispatches.locked(runId, runId === 'dead' ? 'engine1' : 'engine2');
    dispatches.died('engine1');
    dispatches.released('released');
    for (const runId of ['alive', 'dead', 'released']) dispatches.locked(runId, 'engine3');
    vi.advanceTimersByTime(1);
    // What it wrote before its death, it wrote late all the same.
    dispatches.died('engine2');
    expect(['alive', 'dead', 'released', 'unknown'].map((runId) => dispatches.leaseRanOut(runId))).toEqual([true, false, false, false]);
  });

  it('explains two turns of one and the same pass, both of which had read the run before', () => {
    const { dispatch, reads, whys } = book();
    const pass = turnOf('pass');
    reads(pass);
    dispatch(pass);
    dispatch(pass);
    expect(whys()).toEqual(["two turns at once on one instance: an engine's pass beside another"]);
  });

  it('tells a lock that was released from a lease that ran out', () => {
    const { dispatches, dispatch, whys } = book();
    dispatches.locked('r', 'engine1');
    dispatch(turnOf('start'));
    dispatches.released('r');
    dispatches.locked('r', 'engine1');
    dispatch(turnOf('pass'));
    expect(dispatches.awaitedTwice('r:0')).toBe(false);
    expect(whys()).toEqual(['none']);
  });
});
