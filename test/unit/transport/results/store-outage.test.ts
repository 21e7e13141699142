import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StoreOutage } from '../../../../src/transport/results/store-outage.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

function setUp() {
  const probesAt: number[] = [];
  const outage = new StoreOutage(
    () => probesAt.push(Date.now()),
    () => 1,
  );
  const fail = (times: number) => {
    for (let time = 0; time < times; time += 1) outage.failed();
  };
  return { outage, probesAt, fail };
}

it('three rejections in a row are an outage', () => {
  const { outage, fail } = setUp();
  fail(2);
  expect(outage.isDown).toBe(false);
  expect(outage.room(7)).toBe(7);
  fail(1);
  expect(outage.isDown).toBe(true);
  expect(outage.room(7)).toBe(0);
});

it('one poison result among good ones is no outage', () => {
  const { outage, probesAt } = setUp();
  for (let round = 0; round < 100; round += 1) {
    outage.failed();
    outage.failed();
    outage.succeeded();
    expect(outage.isDown).toBe(false);
  }
  expect(probesAt).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

it('probes one at a time, at growing intervals', () => {
  const { outage, probesAt, fail } = setUp();
  fail(3);
  for (let probe = 0; probe < 8; probe += 1) {
    vi.advanceTimersToNextTimer();
    expect(outage.room(5_000)).toBe(1);
    const probed = outage.received();
    expect(probed).toBeDefined();
    expect(outage.room(5_000)).toBe(0);
    expect(outage.received()).toBeUndefined();
    outage.failed();
    probed?.();
    expect(outage.room(5_000)).toBe(0);
  }
  expect(probesAt.map((at, index) => at - (probesAt[index - 1] ?? 0))).toEqual(
    [1, 2, 4, 8, 16, 30, 30, 30].map((seconds) => seconds * 1000),
  );
});

it('never gives more room than there is', () => {
  const { outage, fail } = setUp();
  fail(3);
  vi.advanceTimersToNextTimer();
  expect(outage.room(0)).toBe(0);
});

it('a burst of rejections is one step of the backoff', () => {
  const { probesAt, fail } = setUp();
  for (let pause = 0; pause < 4; pause += 1) {
    fail(50);
    vi.advanceTimersToNextTimer();
  }
  expect(probesAt).toEqual([1_000, 3_000, 7_000, 15_000]);
});

it('recovers with the first result that is taken, and forgets the outage', () => {
  const { outage, probesAt, fail } = setUp();
  fail(10);
  vi.advanceTimersToNextTimer();
  const probed = outage.received();
  outage.succeeded();
  probed?.();
  expect(outage.isDown).toBe(false);
  expect(outage.room(9)).toBe(9);
  // Told at once: the receiver waits for it.
  expect(probesAt).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
  fail(3);
  expect(outage.room(9)).toBe(0);
});

it('recovers with a result that was with the engine already', () => {
  const { outage, probesAt, fail } = setUp();
  fail(3);
  outage.succeeded();
  expect(outage.isDown).toBe(false);
  expect(probesAt).toEqual([0]);
  expect(vi.getTimerCount()).toBe(0);
});

it('probes again at once where the probe told nothing', () => {
  const { outage, probesAt, fail } = setUp();
  fail(3);
  vi.advanceTimersToNextTimer();
  outage.received()?.();
  expect(probesAt).toEqual([1_000, 1_000]);
  expect(outage.room(9)).toBe(1);
});

it('probes again after a while where the probe is still with the engine: its turn may wait for another result', () => {
  const { outage, probesAt, fail } = setUp();
  fail(3);
  vi.advanceTimersToNextTimer();
  const first = outage.received();
  vi.advanceTimersByTime(9_999);
  expect(outage.room(9)).toBe(0);
  vi.advanceTimersByTime(1);
  expect(outage.room(9)).toBe(1);
  expect(probesAt).toEqual([1_000, 11_000]);
  // The first one's end is no news about the second.
  const second = outage.received();
  first?.();
  expect(outage.room(9)).toBe(0);
  second?.();
  expect(outage.room(9)).toBe(1);
});

it('waits for the probe where its time comes while one is with the engine', () => {
  const { outage, probesAt, fail } = setUp();
  fail(3);
  vi.advanceTimersToNextTimer();
  const probed = outage.received();
  // A result that was with the engine before.
  outage.failed();
  vi.advanceTimersByTime(2_000);
  expect(outage.room(9)).toBe(0);
  probed?.();
  expect(outage.room(9)).toBe(1);
  expect(probesAt).toEqual([1_000, 3_000, 3_000]);
});

describe('stop', () => {
  it('ends probing for good', () => {
    const { outage, probesAt, fail } = setUp();
    fail(3);
    outage.stop();
    fail(3);
    expect(vi.getTimerCount()).toBe(0);
    expect(probesAt).toEqual([]);
  });

  it('leaves no timer where a probe is with the engine', () => {
    const { outage, fail } = setUp();
    fail(3);
    vi.advanceTimersToNextTimer();
    outage.received();
    outage.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});
