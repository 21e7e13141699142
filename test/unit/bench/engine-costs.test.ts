import { describe, expect, it } from 'vitest';
import { billedMsAt, breakEvenRuns, containerCosts, dollarsPerMonth, functionCosts } from '../../../bench/engine-costs.ts';

const NOTHING = { billedMs: 0, cpuMs: 0 };

describe('what an engine costs', () => {
  it('work takes longer with less of a processor, and waiting does not', () => {
    expect(billedMsAt(1_769, { billedMs: 100, cpuMs: 40 })).toBe(100);
    expect(billedMsAt(1_769 / 2, { billedMs: 100, cpuMs: 40 })).toBe(140);
    expect(billedMsAt(3_538, { billedMs: 100, cpuMs: 40 })).toBe(100);
  });

  it('work that is more than the time it took is all of that time', () => {
    expect(billedMsAt(1_769 / 2, { billedMs: 100, cpuMs: 150 })).toBe(200);
  });

  it('an idle function costs three mappings and its ticks', () => {
    const { idle } = functionCosts(1_024, { ...NOTHING, invocations: 0, sqsRequests: 0 }, NOTHING);
    expect(idle).toBeCloseTo(3 * 0.2592 + 43_200 * 0.2e-6, 6);
  });

  it('an idle pair of containers costs their hours, and two polls each', () => {
    expect(containerCosts(0).idle).toBeCloseTo(2 * (730 * (0.25 * 0.03238 + 0.5 * 0.00356) + 2 * 0.05184), 6);
  });

  it('a run costs its time, its invocations and its requests', () => {
    const run = { billedMs: 1_000, cpuMs: 0, invocations: 4, sqsRequests: 10 };
    expect(functionCosts(1_024, run, NOTHING).perMillionRuns).toBeCloseTo(13.3334 + 4 * 0.2 + 10 * 0.4, 4);
  });

  it('both cost the same at the break-even', () => {
    const [inFunction, inContainer] = [
      { idle: 1, perMillionRuns: 6 },
      { idle: 15, perMillionRuns: 4 },
    ];
    expect(breakEvenRuns(inFunction, inContainer)).toBe(7e6);
    expect(dollarsPerMonth(inFunction, 7e6)).toBe(dollarsPerMonth(inContainer, 7e6));
  });

  it('a function that costs no more a run than a container has no break-even', () => {
    expect(breakEvenRuns({ idle: 1, perMillionRuns: 4 }, { idle: 15, perMillionRuns: 4 })).toBe(Number.POSITIVE_INFINITY);
  });
});
