import { describe, expect, it } from 'vitest';
import { table } from '../../../../../src/serverless/commands/output/table.ts';
import { oneLine, printable } from '../../../../../src/serverless/commands/output/text.ts';

const HEAD = ['id', 'run', 'age', 'reason'];
const ROWS = [
  ['m1', 'run-1', 5, 'the dead-letter handler failed on it'],
  ['m2', 'r', 12, 'receive count used up'],
];

describe('table', () => {
  it('aligns columns, numbers to the right', () => {
    expect(table(HEAD, ROWS)).toBe(
      ['id  run    age  reason', 'm1  run-1    5  the dead-letter handler failed on it', 'm2  r       12  receive count used up', ''].join(
        '\n',
      ),
    );
  });

  it('fits a terminal: the widest columns become lines of their own', () => {
    expect(table(HEAD, ROWS, 40)).toBe(
      [
        'id  run    age',
        'm1  run-1    5',
        '    reason  the dead-letter handler failed on it',
        'm2  r       12',
        '    reason  receive count used up',
        '',
      ].join('\n'),
    );
    expect(table(HEAD, ROWS, 12)).toContain('    run     run-1\n    reason  the dead');
  });

  it('keeps a table that fits to the character as it is', () => {
    const width = 'm1  run-1    5  the dead-letter handler failed on it'.length;
    expect(table(HEAD, ROWS, width)).toBe(table(HEAD, ROWS));
    expect(table(HEAD, ROWS, width - 1)).not.toBe(table(HEAD, ROWS));
  });

  it.each([80, 120, undefined])('holds an id of 20,000 characters to one row of %s columns', (columns) => {
    const text = table(
      ['id', 'run'],
      [
        ['m1', 'x'.repeat(20_000)],
        ['m2', 'run-2'],
      ],
      columns,
    );
    expect(text).toContain('… (20000 characters)');
    expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThan(260);
    expect(text).toMatch(/^m2 .*run-2$|^m2\n.*run-2$/m);
  });
});

describe('oneLine', () => {
  it.each([
    ['a\nb\tc', 'a\\nb\\tc'],
    ['\u001b[2J', '\\u001b[2J'],
    ['a\u009b31m\u0085', 'a\\u009b31m\\u0085'],
    ['gnp.\u202exe', 'gnp.\\u202exe'],
    ['\u2066a\u2069\u200f\u061c', '\\u2066a\\u2069\\u200f\\u061c'],
    ['ümlaut 😀 "q" \\', 'ümlaut 😀 "q" \\'],
  ])('escapes what a terminal would obey in %j', (text, expected) => {
    expect(oneLine(text)).toBe(expected);
  });

  it('cuts a long text', () => {
    expect(oneLine('x'.repeat(201))).toBe(`${'x'.repeat(200)}… (201 characters)`);
    expect(oneLine('x'.repeat(200))).toBe('x'.repeat(200));
  });
});

describe('printable', () => {
  it('keeps line feeds and tabs, and escapes the other controls', () => {
    expect(printable('a\n\tb\r\u001b[2J\u009b\u202e')).toBe('a\n\tb\\r\\u001b[2J\\u009b\\u202e');
  });

  it('leaves JSON with the same value', () => {
    const value = { runId: 'a\u009b\u202e\n\u007f' };
    const text = printable(JSON.stringify(value, undefined, 2));
    expect(text).toMatch(/^[\x20-\x7e\n]+$/);
    expect(JSON.parse(text)).toEqual(value);
  });
});
