import { describe, expect, it } from 'vitest';
import {
  containerDollarsPerMonth,
  IDLE_MAPPING_POLLS_PER_MONTH,
  lambdaDollarsPerMillion,
  sqsDollarsPerMillion,
} from '../../../bench/prices.ts';

describe('what steps cost', () => {
  it('a million steps of one request each cost what SQS asks for a million requests', () => {
    expect(sqsDollarsPerMillion(1)).toBeCloseTo(0.4, 10);
    expect(sqsDollarsPerMillion(0.65)).toBeCloseTo(0.26, 10);
  });

  it('a second of one gigabyte per step is a million GB-seconds', () => {
    expect(lambdaDollarsPerMillion({ millisecondsPerStep: 1_000, invocationsPerStep: 0, memoryMb: 1_024 })).toBeCloseTo(13.3334, 6);
  });

  it('ten steps in an invocation pay a tenth of its request', () => {
    expect(lambdaDollarsPerMillion({ millisecondsPerStep: 0, invocationsPerStep: 0.1, memoryMb: 256 })).toBeCloseTo(0.02, 10);
  });

  it('an idle mapping polls about 650,000 times a month', () => {
    expect(IDLE_MAPPING_POLLS_PER_MONTH).toBe(648_000);
  });

  it('a container costs its processor and its memory by the hour', () => {
    expect(containerDollarsPerMonth(1, 0)).toBeCloseTo(730 * 0.03238, 10);
    expect(containerDollarsPerMonth(0.25, 0.5)).toBeCloseTo(730 * (0.25 * 0.03238 + 0.5 * 0.00356), 10);
  });
});
