import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const LINES = 200;
const WIDTH = 100;

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

it(`README has at most ${LINES} lines: what does not fit has a page under docs/`, () => {
  expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(LINES);
});

it(`README's text is wrapped at ${WIDTH} characters, tables and code apart`, () => {
  const text = readme.replace(/^```.*?^```$/gms, '').split('\n');
  expect(text.filter((line) => line.length > WIDTH && !line.startsWith('|'))).toEqual([]);
});
