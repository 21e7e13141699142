import { describe, expect, it } from 'vitest';
import { PollingPace } from '../../../src/sqs/polling-pace.ts';

/** Full receives until one more receiver is wanted. */
function fullReceives(pace: PollingPace): number {
  for (let receives = 1; ; receives += 1) {
    if (pace.brought(true)) {
      pace.added();
      return receives;
    }
  }
}

describe('PollingPace', () => {
  it('adds a receiver for each full receive of a backlog', () => {
    const pace = new PollingPace();
    expect([fullReceives(pace), fullReceives(pace)]).toEqual([1, 1]);
  });

  it('adds a receiver after ever more full receives, sixteen at most, while added ones come back empty', () => {
    const pace = new PollingPace();
    const needed = Array.from({ length: 6 }, () => {
      pace.empty(false, 0);
      return fullReceives(pace);
    });
    expect(needed).toEqual([2, 4, 8, 16, 16, 16]);
  });

  it('starts anew after an idle time', () => {
    const pace = new PollingPace();
    pace.empty(false, 0);
    pace.empty(false, 0);
    pace.empty(true, 0);
    expect(fullReceives(pace)).toBe(1);
  });

  it('counts full receives from the last empty one', () => {
    const pace = new PollingPace();
    pace.empty(false, 0);
    expect(pace.brought(true)).toBe(false);
    pace.empty(false, 0);
    expect(fullReceives(pace)).toBe(4);
  });
});

describe('an empty receive', () => {
  it('ever longer pauses follow while the queue answers at once, up to a second', () => {
    const pace = new PollingPace();
    expect(Array.from({ length: 9 }, () => pace.empty(true, 0))).toEqual([0, 25, 50, 100, 200, 400, 800, 1_000, 1_000]);
  });

  it('no pause follows where it took long by itself', () => {
    const pace = new PollingPace();
    for (let receives = 0; receives < 9; receives += 1) pace.empty(true, 0);
    expect([pace.empty(true, 400), pace.empty(true, 1_000), pace.empty(true, 20_000)]).toEqual([600, 0, 0]);
  });

  it('pauses start anew after a receive that brought messages', () => {
    const pace = new PollingPace();
    for (let receives = 0; receives < 9; receives += 1) pace.empty(true, 0);
    pace.brought(false);
    expect([pace.empty(true, 0), pace.empty(true, 0)]).toEqual([0, 25]);
  });

  it('no pause follows where another receiver polls', () => {
    const pace = new PollingPace();
    for (let receives = 0; receives < 9; receives += 1) expect(pace.empty(false, 0)).toBe(0);
    expect(pace.empty(true, 0)).toBe(0);
  });
});
