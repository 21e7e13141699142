import { describe, expect, it } from 'vitest';
import { ReceiverGrowth } from '../../../src/sqs/receiver-growth.ts';

/** Full receives until one more receiver is wanted. */
function fullReceives(growth: ReceiverGrowth): number {
  for (let receives = 1; ; receives += 1) {
    if (growth.full()) {
      growth.added();
      return receives;
    }
  }
}

describe('a backlog', () => {
  it('is worth a receiver for each full receive', () => {
    const growth = new ReceiverGrowth();
    expect([fullReceives(growth), fullReceives(growth)]).toEqual([1, 1]);
  });

  it('is worth one after ever more full receives, sixteen at most, where the one before asked in vain', () => {
    const growth = new ReceiverGrowth();
    const needed = Array.from({ length: 6 }, () => {
      growth.empty(false);
      return fullReceives(growth);
    });
    expect(needed).toEqual([2, 4, 8, 16, 16, 16]);
  });

  it('after an idle time is a new one', () => {
    const growth = new ReceiverGrowth();
    growth.empty(false);
    growth.empty(false);
    growth.empty(true);
    expect(fullReceives(growth)).toBe(1);
  });

  it('begins anew with each empty receive', () => {
    const growth = new ReceiverGrowth();
    growth.empty(false);
    expect(growth.full()).toBe(false);
    growth.empty(false);
    expect(fullReceives(growth)).toBe(4);
  });
});
