import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, pairedRatio, percentile, summarize } from '../../../bench/statistics.ts';

const samples = fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 60 });

describe('statistics of the benchmark', () => {
  it('the median of an even number of samples is between the two in the middle', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([9, 1, 5])).toBe(5);
  });

  it('a summary tells the lowest and the highest round', () => {
    expect(summarize([7, 3, 5])).toEqual({ median: 5, low: 3, high: 7 });
  });

  it('a percentile is the nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0.5, 0.95, 0.99, 1].map((share) => percentile(hundred, share))).toEqual([50, 95, 99, 100]);
    expect(percentile([8], 0.99)).toBe(8);
  });

  it('a percentile is a sample that at least that share of the samples do not exceed, and no smaller one is', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, share) => {
        const value = percentile(values, share);
        const upTo = (limit: number) => values.filter((one) => one <= limit).length / values.length;
        expect(values).toContain(value);
        expect(upTo(value)).toBeGreaterThanOrEqual(share - 1e-9);
        for (const smaller of values.filter((one) => one < value)) expect(upTo(smaller)).toBeLessThan(share);
      }),
    );
  });

  it('a ratio is taken round by round, so that a machine that slows down half way changes nothing', () => {
    expect(pairedRatio([10, 5], [2, 1])).toEqual({ median: 5, low: 5, high: 5 });
  });

  it('rounds that do not pair up, and no samples at all, are refused', () => {
    expect(() => pairedRatio([1, 2], [1])).toThrow('expected as many rounds of both, got 2 and 1');
    expect(() => summarize([])).toThrow('expected at least one sample');
  });
});
