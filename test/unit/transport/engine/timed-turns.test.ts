import { describe, expect, it } from 'vitest';
import { TimedTurns } from '../../../../src/transport/engine/timed-turns.ts';

const HOLD_MS = 250;
const NEVER = Number.POSITIVE_INFINITY;

const step = (seq: number) => ({ runId: 'run', seq, stepId: `run:${seq}` });

/** The turns of one run, which the engine may have a result of. */
function run() {
  const turns = new TimedTurns(HOLD_MS);
  let withEngine = false;
  return {
    turns,
    dispatch(seq: number, now: number) {
      turns.dispatching(step(seq), withEngine, now);
      turns.happened('dispatched', now);
    },
    given() {
      withEngine = true;
    },
    answered(now = 1_000) {
      withEngine = false;
      turns.happened('answered', now);
    },
    freeAt: (seq: number) => turns.freeAt(step(seq), withEngine),
  };
}

describe('TimedTurns', () => {
  it('lets a result of an unknown step go at once', () => {
    expect(run().freeAt(0)).toBe(0);
  });

  it('holds a result from the moment its dispatch was accepted, however long SQS took', () => {
    const { turns, freeAt } = run();
    turns.dispatching(step(0), false, 1_000);
    expect(freeAt(0)).toBe(1_000 + HOLD_MS);
    turns.happened('dispatched', 9_000);
    expect(freeAt(0)).toBe(9_000 + HOLD_MS);
  });

  it('awaits nothing in memory, as far as it knows', () => {
    const { turns, dispatch } = run();
    dispatch(0, 1_000);
    expect(turns.awaits()).toBe(false);
  });

  it('has siblings of the result that is with the engine wait for it', () => {
    const { dispatch, given, answered, freeAt } = run();
    for (const seq of [0, 1]) dispatch(seq, 1_000);
    given();
    expect(freeAt(1)).toBe(NEVER);
    answered();
    expect(freeAt(1)).toBe(0);
  });

  it('lets a step go after the hold that was dispatched by the turn of the result with the engine: it may wait for it', () => {
    const { dispatch, given, freeAt } = run();
    given();
    dispatch(1, 1_000);
    expect(freeAt(1)).toBe(1_000 + HOLD_MS);
  });

  it('lets such a step go at once when the engine has answered: the turn has ended', () => {
    const { dispatch, given, answered, freeAt } = run();
    given();
    dispatch(1, 1_000);
    answered();
    expect(freeAt(1)).toBe(0);
    // Of an earlier turn now, it is one more sibling.
    given();
    expect(freeAt(1)).toBe(NEVER);
  });

  it('remembers a run until the hold is over', () => {
    const { turns, dispatch, given, answered } = run();
    expect(turns.forgetAt).toBe(0);
    dispatch(0, 1_000);
    expect(turns.forgetAt).toBe(1_000 + HOLD_MS);
    given();
    answered();
    expect(turns.forgetAt).toBe(0);
  });
});
