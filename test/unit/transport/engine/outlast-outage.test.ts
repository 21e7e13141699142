import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemTiming } from '../../../../src/time.ts';
import { asTurn, outlastOutage } from '../../../../src/transport/engine/outlast-outage.ts';
import { deferred, stateOf } from '../../../support/deferred.ts';
import { FakeTiming } from '../../../support/fake-timing.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
});
afterEach(async () => {
  // The timer that all calls share ends once none is open.
  await vi.advanceTimersByTimeAsync(1_000);
  vi.useRealTimers();
});

const outside = <T>(call: () => Promise<T>) => call();
const inTurn = <T>(call: () => Promise<T>) => asTurn('run', call);

/** A store that is down, and a call that it refuses even when it is not. */
function storeThatIs(state: { down: boolean; refuses?: boolean }, isTurn = true) {
  const timing = new FakeTiming();
  let calls = 0;
  const ask = async () => {
    if (state.down) throw new Error('connection refused');
  };
  const call = async () => {
    calls += 1;
    await ask();
    if (state.refuses) throw new Error('invalid value');
    return 'saved';
  };
  const outcome = (isTurn ? inTurn : outside)(() => outlastOutage(call, { ask, timing }));
  outcome.catch(() => undefined);
  return { outcome, timing, calls: () => calls };
}

describe('outlastOutage', () => {
  it('makes a call once where the store takes it', async () => {
    const { outcome, calls } = storeThatIs({ down: false });
    expect(await outcome).toBe('saved');
    expect(calls()).toBe(1);
  });

  it('makes a call once outside of a turn: who asks hears at once that the store is down', async () => {
    const { outcome, calls } = storeThatIs({ down: true }, false);
    await expect(outcome).rejects.toThrow('connection refused');
    expect(calls()).toBe(1);
  });

  it('makes a call again when the store is back', async () => {
    const state = { down: true };
    const { outcome, timing } = storeThatIs(state);
    await timing.advance(5_000);
    expect(await stateOf(outcome)).toBe('pending');
    state.down = false;
    await timing.advance(1_000);
    expect(await outcome).toBe('saved');
  });

  it('gives a call up that a store refuses five times which answers others', async () => {
    const { outcome, timing, calls } = storeThatIs({ down: false, refuses: true });
    await timing.advance(3_000);
    await expect(outcome).rejects.toThrow('invalid value');
    expect(calls()).toBe(5);
  });

  it('makes a call again that gets dead connections from a pool, one after the other', async () => {
    const timing = new FakeTiming();
    let dead = 4;
    const call = async () => {
      dead -= 1;
      if (dead >= 0) throw new Error('Connection terminated unexpectedly');
      return 'saved';
    };
    const outcome = asTurn('run', () => outlastOutage(call, { ask: async () => undefined, timing }));
    await timing.advance(3_000);
    expect(await outcome).toBe('saved');
  });

  it('says of a call that it is a repeat: after a failure, and where there was no answer', async () => {
    const timing = new FakeTiming();
    const failing: boolean[] = [];
    const failed = asTurn('run', () =>
      outlastOutage(
        async (isRepeat) => {
          failing.push(isRepeat);
          if (!isRepeat) throw new Error('Connection terminated unexpectedly');
        },
        { ask: async () => undefined, timing },
      ),
    );
    await timing.advance(1_000);
    await failed;
    const silent: boolean[] = [];
    const unanswered = asTurn('run', () =>
      outlastOutage(
        (isRepeat) => {
          silent.push(isRepeat);
          return isRepeat ? Promise.resolve() : new Promise<void>(() => {});
        },
        { ask: async () => undefined, timing },
      ),
    );
    await vi.advanceTimersByTimeAsync(16_000);
    await unanswered;
    expect([failing, silent]).toEqual([
      [false, true],
      [false, true],
    ]);
  });

  it('gives a call up that the store refuses when it is back', async () => {
    const state = { down: true, refuses: true };
    const { outcome, timing } = storeThatIs(state);
    await timing.advance(1_000);
    state.down = false;
    await timing.advance(5_000);
    await expect(outcome).rejects.toThrow('invalid value');
  });

  it('gives a call up after ten seconds', async () => {
    const { outcome, timing } = storeThatIs({ down: true });
    await timing.advance(9_000);
    expect(await stateOf(outcome)).toBe('pending');
    await timing.advance(2_500);
    await expect(outcome).rejects.toThrow('connection refused');
  });

  it('makes a call again that gets no answer for fifteen seconds', async () => {
    let calls = 0;
    const call = () => {
      calls += 1;
      return calls === 1 ? new Promise<string>(() => {}) : Promise.resolve('saved');
    };
    const outcome = asTurn('run', () => outlastOutage(call, { ask: async () => undefined, timing: systemTiming }));
    await vi.advanceTimersByTimeAsync(14_900);
    expect(calls).toBe(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await outcome).toBe('saved');
  });

  it('waits for a store that answers nothing at all, and rejects nothing: nobody would handle that', async () => {
    let isSilent = true;
    const answer = () => (isSilent ? new Promise<string>(() => {}) : Promise.resolve('saved'));
    const outcome = asTurn('run', () => outlastOutage(answer, { ask: answer, timing: systemTiming }));
    await vi.advanceTimersByTimeAsync(300_000);
    expect(await stateOf(outcome)).toBe('pending');
    isSilent = false;
    await vi.advanceTimersByTimeAsync(16_000);
    expect(await outcome).toBe('saved');
  });

  it.each([[true], [false]])('tells once that a call has settled, though both of its answers come (in a turn: %s)', async (isTurn) => {
    const first = deferred<string>();
    let [calls, settled] = [0, 0];
    const call = () => {
      calls += 1;
      return calls === 1 ? first.promise : Promise.resolve('saved');
    };
    const store = { ask: async () => undefined, timing: systemTiming };
    const outcome = (isTurn ? inTurn : outside)(() => outlastOutage(call, store, () => (settled += 1)));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(settled).toBe(isTurn ? 1 : 0);
    first.resolve('saved late');
    expect(await outcome).toBe(isTurn ? 'saved' : 'saved late');
    await vi.advanceTimersByTimeAsync(1);
    expect(settled).toBe(1);
  });

  it('tells once that a call has settled which the store has refused', async () => {
    let settled = 0;
    const timing = new FakeTiming();
    const store = { ask: async () => undefined, timing };
    const outcome = asTurn('run', () =>
      outlastOutage(
        () => Promise.reject(new Error('refused')),
        store,
        () => (settled += 1),
      ),
    );
    outcome.catch(() => undefined);
    await timing.advance(2_000);
    await expect(outcome).rejects.toThrow('refused');
    await vi.advanceTimersByTimeAsync(1);
    expect(settled).toBe(1);
  });
});
