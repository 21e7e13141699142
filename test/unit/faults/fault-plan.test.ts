import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planFault } from '../../faults/fault-plan.ts';
import { seededRandom } from '../../support/slow-store.ts';

const ACTIONS = ['ReceiveMessage', 'SendMessageBatch', 'SendMessage', 'DeleteMessageBatch', 'ChangeMessageVisibilityBatch', 'GetQueueUrl'];
const plans = (queue: string, action: string, rate: number, seed: number, count = 2_000) => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => planFault({ action, queue }, rate, random));
};

describe('the plan of faults', () => {
  it('depends on the seed alone: the same seed gives the same plan', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(...ACTIONS), (seed, action) => {
        expect(plans('q', action, 0.2, seed, 200)).toEqual(plans('q', action, 0.2, seed, 200));
      }),
      { numRuns: 20 },
    );
    expect(plans('q', 'ReceiveMessage', 0.2, 1)).not.toEqual(plans('q', 'ReceiveMessage', 0.2, 2));
  });

  it('draws as often for a request that goes well as for one that does not', () => {
    let draws = 0;
    const counting = (value: number) => () => {
      draws += 1;
      return value;
    };
    planFault({ action: 'SendMessage', queue: 'q' }, 0.5, counting(0.9));
    const well = draws;
    draws = 0;
    planFault({ action: 'SendMessage', queue: 'q' }, 0.5, counting(0.1));
    expect(draws).toBe(well);
  });

  it('hits the share of requests that was asked for', () => {
    const hits = plans('q', 'ReceiveMessage', 0.2, 7).filter((plan) => plan !== undefined).length;
    expect(hits / 2_000).toBeGreaterThan(0.17);
    expect(hits / 2_000).toBeLessThan(0.23);
    expect(plans('q', 'ReceiveMessage', 0, 7).every((plan) => plan === undefined)).toBe(true);
  });

  it('plans for a call only what can happen to such a call', () => {
    const kinds = (queue: string, action: string) => new Set(plans(queue, action, 1, 3).map((plan) => plan?.fault));
    expect(kinds('q', 'SendMessageBatch')).toContain('sent twice');
    expect(kinds('q', 'SendMessageBatch')).toContain('Failed[] entries');
    expect(kinds('q', 'DeleteMessageBatch')).not.toContain('sent twice');
    expect(kinds('q', 'SendMessage')).not.toContain('Failed[] entries');
    expect(kinds('q', 'ReceiveMessage')).toContain('delivered twice');
    expect(kinds('q', 'ReceiveMessage')).toContain('reordered');
    expect(kinds('q.fifo', 'ReceiveMessage')).not.toContain('delivered twice');
    expect(kinds('q.fifo', 'ReceiveMessage')).not.toContain('reordered');
  });
});
