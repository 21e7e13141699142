import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runningLimit } from '../../src/time.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a time limit', () => {
  it('passes after its time, once', async () => {
    const over = vi.fn();
    runningLimit(1_000, over);
    await vi.advanceTimersByTimeAsync(999);
    expect(over).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(over).toHaveBeenCalledTimes(1);
  });

  it('leaves nothing behind when it is called off', async () => {
    const over = vi.fn();
    runningLimit(1_000, over).clear();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('begins anew where the process stood still past its end', async () => {
    const over = vi.fn();
    const limit = runningLimit(1_000, over);
    vi.setSystemTime(Date.now() + 3_600_000);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(over).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(999);
    expect(over).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(over).toHaveBeenCalledTimes(1);
    limit.clear();
  });

  it('lets itself be called off after it has begun anew', async () => {
    const over = vi.fn();
    const limit = runningLimit(1_000, over);
    vi.setSystemTime(Date.now() + 3_600_000);
    await vi.advanceTimersByTimeAsync(1_000);
    limit.clear();
    expect(vi.getTimerCount()).toBe(0);
  });
});
