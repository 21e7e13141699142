import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StoreOutage } from '../../../../src/transport/results/store-outage.ts';
import { deferred } from '../../../support/deferred.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

function setUp() {
  const store = { answers: true };
  const askedAt: number[] = [];
  const told: string[] = [];
  const outage = new StoreOutage({
    async ask() {
      askedAt.push(Date.now());
      return store.answers;
    },
    onBegin: () => told.push('begin'),
    onEnd: () => told.push('end'),
    random: () => 1,
  });
  return { store, outage, askedAt, told };
}

describe('StoreOutage', () => {
  it('begins with a rejection after which the store does not answer', async () => {
    const { store, outage, told } = setUp();
    await outage.rejected();
    expect([outage.isDown, told]).toEqual([false, []]);
    store.answers = false;
    await outage.rejected();
    expect([outage.isDown, told]).toEqual([true, ['begin']]);
  });

  it('never begins by results that the engine rejects while its store answers, however many', async () => {
    const { outage, told } = setUp();
    for (let times = 0; times < 100; times += 1) await outage.rejected();
    expect([outage.isDown, told, vi.getTimerCount()]).toEqual([false, [], 0]);
  });

  it('asks once for what is rejected together', async () => {
    const { store, outage, askedAt, told } = setUp();
    store.answers = false;
    await Promise.all(Array.from({ length: 50 }, () => outage.rejected()));
    expect([askedAt, told]).toEqual([[0], ['begin']]);
    await outage.rejected();
    expect(askedAt).toEqual([0]);
  });

  it('asks again at growing intervals until the store answers', async () => {
    const { store, outage, askedAt, told } = setUp();
    store.answers = false;
    await outage.rejected();
    await pass(200_000);
    expect(askedAt.map((at, index) => at - (askedAt[index - 1] ?? 0)).slice(1, 9)).toEqual(
      [1, 2, 4, 8, 16, 30, 30, 30].map((seconds) => seconds * 1000),
    );
    store.answers = true;
    await pass(30_000);
    expect([outage.isDown, told, vi.getTimerCount()]).toEqual([false, ['begin', 'end'], 0]);
  });

  it('forgets an outage that is over', async () => {
    const { store, outage, askedAt } = setUp();
    store.answers = false;
    await outage.rejected();
    await pass(10_000);
    store.answers = true;
    await pass(10_000);
    askedAt.splice(0);
    store.answers = false;
    const startedAt = Date.now();
    await outage.rejected();
    await pass(1_000);
    expect(askedAt).toEqual([startedAt, startedAt + 1_000]);
  });

  it('ends with a result that the engine accepts: one that was with it', async () => {
    const { store, outage, told } = setUp();
    store.answers = false;
    await outage.rejected();
    outage.end();
    expect([outage.isDown, told, vi.getTimerCount()]).toEqual([false, ['begin', 'end'], 0]);
    outage.end();
    expect(told).toHaveLength(2);
  });
});

describe('stop', () => {
  it('ends the asking', async () => {
    const { store, outage, askedAt } = setUp();
    store.answers = false;
    await outage.rejected();
    outage.stop();
    expect(vi.getTimerCount()).toBe(0);
    await outage.rejected();
    expect(askedAt).toHaveLength(1);
  });

  it.each(['the first time', 'again'])('begins nothing where the store is being asked %s', async (when) => {
    const answer = deferred<boolean>();
    const told: string[] = [];
    let asked = 0;
    const outage = new StoreOutage({
      ask() {
        asked += 1;
        return when === 'again' && asked === 1 ? Promise.resolve(false) : answer.promise;
      },
      onBegin: () => told.push('begin'),
      onEnd: () => told.push('end'),
      random: () => 1,
    });
    void outage.rejected();
    await pass(2_000);
    outage.stop();
    answer.resolve(when === 'again');
    await pass(1_000);
    expect(told).toEqual(when === 'again' ? ['begin'] : []);
    expect(vi.getTimerCount()).toBe(0);
  });
});
