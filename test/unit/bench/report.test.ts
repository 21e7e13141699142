import { describe, expect, it } from 'vitest';
import { readArguments } from '../../../bench/arguments.ts';
import { figure } from '../../../bench/report/format.ts';
import { resultsMarkdown } from '../../../bench/report/markdown.ts';
import { type Check, holds, type Results } from '../../../bench/report/model.ts';
import { barChart } from '../../../bench/report/svg.ts';
import { checkText, tableText } from '../../../bench/report/terminal.ts';

const check: Check = {
  id: 'speed',
  what: 'steps per second',
  measured: 5,
  low: 4,
  high: 7,
  unit: '×',
  direction: 'at least',
  limit: 6,
  quickLimit: 2,
};
const chart = {
  name: 'speed',
  title: 'Steps <per> second & more',
  unit: 'ms',
  bars: [
    { label: 'ours', value: 200, low: 150, high: 400, ours: true },
    { label: 'a "peer"', value: 50, low: 50, high: 50, ours: false },
  ],
};
const results = (mode: Results['mode'] = 'full'): Results => ({
  takenAt: '2026-11-24T00:00:00.000Z',
  mode,
  machine: { cpu: 'Some CPU', cores: 2, memoryGb: 8, os: 'Linux 6', node: '24.0.0' },
  versions: { fauxqs: '2.4.1' },
  sections: [
    {
      id: 1,
      title: 'Speed',
      method: ['Side by side.'],
      tables: [{ title: 'speeds', columns: ['', 'steps/s'], rows: [['a | b', '10']] }],
      charts: [chart],
      checks: [check, { ...check, id: 'memory', what: 'memory', unit: 'kB', measured: 1, direction: 'at most', limit: 2 }],
      facts: {},
      seconds: 12,
    },
  ],
});

describe('bounds', () => {
  it('a full run asks for the target, a quick run for its own bound', () => {
    expect(holds(check, 'full')).toBe(false);
    expect(holds(check, 'quick')).toBe(true);
  });

  it('what is exactly at its limit holds, in both directions', () => {
    expect(holds({ ...check, measured: 6 }, 'full')).toBe(true);
    expect(holds({ ...check, direction: 'at most', measured: 6 }, 'full')).toBe(true);
    expect(holds({ ...check, direction: 'at most', measured: 6.01 }, 'full')).toBe(false);
  });

  it('a figure that is no number does not hold', () => {
    expect(holds({ ...check, measured: Number.NaN }, 'full')).toBe(false);
  });

  it('a bound that a quick run does not ask for is neither held nor missed', () => {
    const { quickLimit: _quickLimit, ...fullOnly } = check;
    expect(holds(fullOnly, 'quick')).toBeUndefined();
    expect(checkText(fullOnly, 'quick')).toContain('not checked in a quick run');
  });

  it('a bound that does not hold says what was measured and what was asked for', () => {
    expect(checkText(check, 'full')).toBe('OFF  steps per second: 5 × (at least 6 ×, rounds 4 – 7)');
  });
});

describe('reports', () => {
  it('the markdown names machine, versions, method, figures and charts', () => {
    const text = resultsMarkdown(results());
    for (const part of ['Some CPU, 2 cores, 8 GB', 'fauxqs 2.4.1', '- Side by side.', '![Steps <per> second & more](charts/speed.svg)']) {
      expect(text).toContain(part);
    }
    expect(text).toContain('| steps per second | 5 × | 4 – 7 | at least 6 × | **missed** |');
    expect(text).toContain('| memory | 1 kB | 4 – 7 | at most 2 kB | reached |');
  });

  it('a cell cannot break its table', () => {
    expect(resultsMarkdown(results())).toContain('| a \\| b | 10 |');
  });

  it('columns of a table on the terminal stand under each other', () => {
    const [, head, rule, row] = tableText({ title: 't', columns: ['', 'steps/s'], rows: [['a long label', '10']] }).split('\n');
    expect([head?.length, row?.length]).toEqual([rule?.length, rule?.length]);
  });

  it('figures keep three digits that say something', () => {
    expect([0, 5, 0.6512, 1.234, 12.34, 123.4, 12_345.6, 0.0123, Number.NaN].map(figure)).toEqual([
      '0',
      '5',
      '0.65',
      '1.23',
      '12.3',
      '123',
      '12,346',
      '0.012',
      '–',
    ]);
  });
});

describe('charts', () => {
  const svg = barChart(chart);

  it('draw bars in proportion', () => {
    const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
    expect((widths[0] ?? 0) / (widths[1] ?? 1)).toBeCloseTo(4, 1);
  });

  it('stay inside their picture, whiskers included', () => {
    for (const [, x] of svg.matchAll(/x2="([\d.]+)"/g)) expect(Number(x)).toBeLessThanOrEqual(720);
  });

  it('escape what a label holds', () => {
    expect(svg).toContain('Steps &#60;per&#62; second &#38; more');
    expect(svg).toContain('a &#34;peer&#34;');
  });

  it('have colours for a dark page, and say their figures to who cannot see them', () => {
    expect(svg).toContain('prefers-color-scheme:dark');
    expect(svg).toMatch(/<desc [^>]*>ours: 200 ms;/);
  });

  it('a chart of nothing but zeros has no figure that is no number', () => {
    expect(barChart({ ...chart, bars: [{ label: 'none', value: 0, low: 0, high: 0, ours: true }] })).not.toContain('NaN');
  });
});

describe('arguments', () => {
  it('sections are chosen by number', () => {
    expect(readArguments(['--only', '1,3', '--quick'], [1, 2, 3])).toMatchObject({ only: [1, 3], quick: true });
  });

  it('a section that there is not is refused', () => {
    expect(() => readArguments(['--only', '9'], [1, 2, 3])).toThrow('expected --only to name sections of 1, 2, 3, got "9"');
  });

  it('an unknown option is refused', () => {
    expect(() => readArguments(['--fast'], [1])).toThrow(/--fast/);
  });
});
