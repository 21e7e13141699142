import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { backoffMs, type RetryOptions, retry } from '../../../src/sqs/retry.ts';
import { systemTiming } from '../../../src/time.ts';
import { stateOf } from '../../support/deferred.ts';
import { FakeTiming, settle } from '../../support/fake-timing.ts';

const LIMITS = { firstMs: 100, maxMs: 5_000 };

describe('backoffMs', () => {
  it('doubles from the first step to the last', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8, 9].map((failures) => backoffMs(failures, LIMITS, () => 1))).toEqual([
      100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000,
    ]);
  });

  it('spreads over the upper half of the step', () => {
    expect(backoffMs(3, LIMITS, () => 0)).toBe(200);
    expect(backoffMs(3, LIMITS, () => 0.5)).toBe(300);
    expect(backoffMs(3, LIMITS, () => 0.999)).toBe(400);
  });

  it.each([31, 100, 10_000, Number.MAX_SAFE_INTEGER])('stays at the last step after %i failures', (failures) => {
    expect(backoffMs(failures, LIMITS, () => 1)).toBe(5_000);
  });
});

describe('retry', () => {
  const down = new Error('down');
  const setUp = (options: Partial<RetryOptions> = {}) => {
    const timing = new FakeTiming();
    const calls: number[] = [];
    const run = (results: readonly (Error | string)[]) =>
      retry(
        async () => {
          const result = results[Math.min(calls.length, results.length - 1)];
          calls.push(timing.now());
          if (result instanceof Error) throw result;
          return result;
        },
        { backoff: LIMITS, timing, isTransient: (error) => error === down, timeoutMs: 1_000, ...options },
      );
    return { timing, calls, run };
  };

  it('gives what the first call gives', async () => {
    const { timing, run } = setUp();
    expect(await run(['ok'])).toBe('ok');
    expect(timing.slept).toEqual([]);
  });

  it('waits longer after each failure, until it works', async () => {
    const { timing, calls, run } = setUp();
    const result = run([down, down, 'ok']);
    await timing.advance(1_000);
    expect(await result).toBe('ok');
    expect(calls).toEqual([0, 100, 300]);
  });

  it('throws a failure that will not pass at once', async () => {
    const { timing, calls, run } = setUp();
    const fatal = new Error('denied');
    const result = run([down, fatal]);
    result.catch(() => undefined);
    await timing.advance(1_000);
    await expect(result).rejects.toBe(fatal);
    expect(calls).toEqual([0, 100]);
  });

  it('starts no try after its time is up, and does not sleep in vain', async () => {
    const { timing, calls, run } = setUp();
    const result = run([down]);
    result.catch(() => undefined);
    await timing.advance(10_000);
    await expect(result).rejects.toBe(down);
    expect(calls).toEqual([0, 100, 300, 700]);
    expect(timing.slept).toEqual([100, 200, 400]);
  });

  it('makes one try where there is no time for two', async () => {
    const { calls, run } = setUp({ timeoutMs: 0 });
    await expect(run([down])).rejects.toBe(down);
    expect(calls).toEqual([0]);
  });

  it('throws the last failure when it is aborted while it sleeps', async () => {
    const controller = new AbortController();
    const { timing, calls, run } = setUp({ signal: controller.signal });
    const result = run([down]);
    result.catch(() => undefined);
    await timing.advance(50);
    controller.abort();
    await expect(result).rejects.toBe(down);
    expect(calls).toEqual([0]);
    expect(timing.sleeping).toBe(0);
  });

  it('ends without a sleep when it is aborted while a call runs', async () => {
    const controller = new AbortController();
    const timing = new FakeTiming();
    const call = () => {
      controller.abort();
      return Promise.reject(down);
    };
    await expect(
      retry(call, { backoff: LIMITS, timing, isTransient: () => true, timeoutMs: 1_000, signal: controller.signal }),
    ).rejects.toBe(down);
    expect(timing.slept).toEqual([]);
  });
});

describe('systemTiming', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('sleeps for the time', async () => {
    const sleep = systemTiming.sleep(1_000);
    await vi.advanceTimersByTimeAsync(999);
    expect(await stateOf(sleep)).toBe('pending');
    await vi.advanceTimersByTimeAsync(1);
    expect(await stateOf(sleep)).toBe('fulfilled');
  });

  it('wakes when its signal aborts, and leaves neither timer nor listener behind', async () => {
    const { signal, ...controller } = withListeners();
    const sleep = systemTiming.sleep(1_000, signal);
    expect(controller.count()).toBe(1);
    controller.abort();
    await settle();
    expect(await stateOf(sleep)).toBe('fulfilled');
    expect(vi.getTimerCount()).toBe(0);

    const other = withListeners();
    const undisturbed = systemTiming.sleep(1_000, other.signal);
    await vi.advanceTimersByTimeAsync(1_000);
    await undisturbed;
    expect(other.count()).toBe(0);
  });

  it('sleeps not at all on a signal that has aborted', async () => {
    expect(await stateOf(systemTiming.sleep(1_000, AbortSignal.abort()))).toBe('fulfilled');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tells the time, by a clock that nobody sets, and throws dice', async () => {
    const before = systemTiming.now();
    vi.setSystemTime(Date.now() - 3_600_000);
    await vi.advanceTimersByTimeAsync(100);
    expect(systemTiming.now()).toBe(before + 100);
    const chance = systemTiming.random();
    expect(chance).toBeGreaterThanOrEqual(0);
    expect(chance).toBeLessThan(1);
  });
});

/** A signal whose listeners are counted. */
function withListeners() {
  const controller = new AbortController();
  let listeners = 0;
  const { signal } = controller;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  vi.spyOn(signal, 'addEventListener').mockImplementation((...args: Parameters<typeof add>) => {
    listeners += 1;
    add(...args);
  });
  vi.spyOn(signal, 'removeEventListener').mockImplementation((...args: Parameters<typeof remove>) => {
    listeners -= 1;
    remove(...args);
  });
  return { signal, abort: () => controller.abort(), count: () => listeners };
}
