import { describe, expect, it } from 'vitest';
import { FlushCost } from '../../../src/lambda/flush-cost.ts';

const LONG = 900_000;

function costsOf(...sends: readonly number[]): FlushCost {
  const costs = new FlushCost();
  for (const ms of sends) costs.record(ms);
  return costs;
}

describe('FlushCost', () => {
  it('is a second before the first send, and a quarter of the time where that is less', () => {
    expect(costsOf().reserveMs(LONG, 10)).toBe(1_000);
    expect(costsOf().reserveMs(2_000, 10)).toBe(500);
    expect(costsOf(5_000).reserveMs(3_000, 10)).toBe(750);
    expect(costsOf().reserveMs(Number.POSITIVE_INFINITY, 10)).toBe(1_000);
  });

  it('goes by the slowest of the last 16 sends', () => {
    const others = Array.from({ length: 15 }, () => 100);
    expect(costsOf(400, ...others).reserveMs(LONG, 10)).toBe(1_200);
    expect(costsOf(400, ...others, 100).reserveMs(LONG, 10)).toBe(300);
    expect(costsOf(...others, 100, 400).reserveMs(LONG, 10)).toBe(1_200);
  });

  it.each([
    [1, 300],
    [20, 300],
    [21, 400],
    [100, 700],
    [10_000, 5_000],
  ])('leaves room for %i results: %i ms where a send takes 100', (results, expected) => {
    expect(costsOf(100).reserveMs(LONG, results)).toBe(expected);
  });

  it('is never below what an answer takes', () => {
    expect(costsOf(0, 1, 2).reserveMs(LONG, 1)).toBe(250);
  });
});
