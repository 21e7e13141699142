import { describe, expect, it } from 'vitest';
import { PollingPace } from '../../../src/sqs/polling-pace.ts';

/** Full receives until one more receiver is wanted. */
function fullReceives(pace: PollingPace): number {
  for (let receives = 1; ; receives += 1) {
    if (pace.full()) {
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
      pace.empty(false);
      return fullReceives(pace);
    });
    expect(needed).toEqual([2, 4, 8, 16, 16, 16]);
  });

  it('starts anew after an idle time', () => {
    const pace = new PollingPace();
    pace.empty(false);
    pace.empty(false);
    pace.empty(true);
    expect(fullReceives(pace)).toBe(1);
  });

  it('counts full receives from the last empty one', () => {
    const pace = new PollingPace();
    pace.empty(false);
    expect(pace.full()).toBe(false);
    pace.empty(false);
    expect(fullReceives(pace)).toBe(4);
  });
});
