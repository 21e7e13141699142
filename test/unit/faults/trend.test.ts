import { describe, expect, it } from 'vitest';
import { trend } from '../../faults/trend.ts';
import { seededRandom } from '../../support/slow-store.ts';

const noise = seededRandom(11);
const series = (slope: number, spread: number) => Array.from({ length: 28 }, (_, index) => 50 + slope * index + (noise() - 0.5) * spread);

describe('the trend of samples', () => {
  it('finds a leak under noise', () => {
    expect(trend(series(0.5, 4), 0.05, 2)).toMatchObject({ rises: true });
  });

  it('takes noise for what it is, and a fall for no leak', () => {
    expect(trend(series(0, 8), 0.05, 2)).toMatchObject({ rises: false });
    expect(trend(series(-1, 1), 0.05, 2)).toMatchObject({ rises: false });
  });

  it('lets a steady but small rise be', () => {
    expect(trend(series(0.02, 0), 0.05, 2)).toMatchObject({ rises: false });
  });

  it('gives the rise over all samples', () => {
    expect(trend([1, 2, 3, 4, 5], 0, 0).rise).toBeCloseTo(4);
  });
});
