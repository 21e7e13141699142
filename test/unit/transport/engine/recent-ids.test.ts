import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecentIds } from '../../../../src/transport/engine/recent-ids.ts';

describe('RecentIds', () => {
  it('tells whether an id was there, once', () => {
    const ids = new RecentIds(2);
    ids.add('a');
    expect([ids.delete('a'), ids.delete('a'), ids.delete('b')]).toEqual([true, false, false]);
  });

  it('never forgets the newest, nor keeps more than twice as many', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.integer({ min: 0, max: 20 })), (least, added) => {
        const ids = new RecentIds(least);
        for (const id of added) ids.add(String(id));
        const newest = [...new Set(added.toReversed())].slice(0, least);
        const kept = [...new Set(added)].filter((id) => ids.delete(String(id)));
        expect(kept).toEqual(expect.arrayContaining(newest));
        expect(kept.length).toBeLessThanOrEqual(2 * least);
      }),
    );
  });

  it('an id that was added twice is gone after one delete', () => {
    const ids = new RecentIds(1);
    ids.add('a');
    ids.add('b');
    ids.add('a');
    expect([ids.delete('a'), ids.delete('a')]).toEqual([true, false]);
  });
});
