import { describe, expect, it } from 'vitest';
import { SendTimes, StepTimes } from '../../../src/lambda/measured-times.ts';

const LONG = 900_000;

function timesOf(...sends: readonly number[]): SendTimes {
  const times = new SendTimes();
  for (const ms of sends) times.add(ms);
  return times;
}

describe('the reserve', () => {
  it('starts as a second before the first send, or a quarter of the time if that is less', () => {
    expect(timesOf().reserveMs(LONG, 10)).toBe(1_000);
    expect(timesOf().reserveMs(2_000, 10)).toBe(500);
    expect(timesOf(5_000).reserveMs(3_000, 10)).toBe(750);
    expect(timesOf().reserveMs(Number.POSITIVE_INFINITY, 10)).toBe(1_000);
  });

  it('goes by the slowest of the last 16 sends', () => {
    const others = Array.from({ length: 15 }, () => 100);
    expect(timesOf(400, ...others).reserveMs(LONG, 10)).toBe(1_200);
    expect(timesOf(400, ...others, 100).reserveMs(LONG, 10)).toBe(300);
    expect(timesOf(...others, 100, 400).reserveMs(LONG, 10)).toBe(1_200);
  });

  it.each([
    [1, 300],
    [20, 300],
    [21, 400],
    [100, 700],
    [10_000, 5_000],
  ])('leaves room for %i results: %i ms where a send takes 100', (results, expected) => {
    expect(timesOf(100).reserveMs(LONG, results)).toBe(expected);
  });

  it('stays above what an answer takes', () => {
    expect(timesOf(0, 1, 2).reserveMs(LONG, 1)).toBe(250);
  });
});

describe('the time of a step', () => {
  it('follows an average that each new run moves by an eighth', () => {
    const times = new StepTimes(['step']);
    expect(times.typicalMs('step')).toBeUndefined();
    times.add('step', 800);
    expect(times.typicalMs('step')).toBe(800);
    times.add('step', 1_600);
    expect(times.typicalMs('step')).toBe(900);
  });

  it('stays unknown for a step that the function does not serve: a task may name any', () => {
    const times = new StepTimes(['step']);
    times.add('other', 800);
    expect(times.typicalMs('other')).toBeUndefined();
  });
});
