import { describe, expect, it } from 'vitest';
import { advisedVisibilitySeconds, leastVisibilitySeconds } from '../../../src/topology/visibility.ts';

describe('advisedVisibilitySeconds', () => {
  it.each([
    [0.4, 0, 3],
    [1.1, 0, 7],
    [30, 0, 180],
    [30, 5, 185],
    [900, 300, 5_700],
    [86_400, 0, 43_200],
  ])(
    'gives for %d s and a window of %d s six times the timeout and the window: %d whole seconds, at most what SQS takes',
    (timeout, window, seconds) => {
      expect(advisedVisibilitySeconds(timeout, window)).toBe(seconds);
    },
  );
});

it('leastVisibilitySeconds counts the batch window into the time that a message is hidden', () => {
  expect(leastVisibilitySeconds(30)).toBe(30);
  expect(leastVisibilitySeconds(30, 5)).toBe(35);
});
