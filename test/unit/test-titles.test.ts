import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { beginsInMidSentence, testTitles } from '../support/test-titles.ts';

const folder = fileURLToPath(new URL('../', import.meta.url));

describe('test titles', () => {
  it('titles begin with the thing, or with what it does', () => {
    const files = globSync('**/*.test.ts', { cwd: folder, exclude: ['**/node_modules'] });
    const titles = files.flatMap((file) => testTitles(readFileSync(folder + file, 'utf8')).map((found) => ({ file, ...found })));
    const wrong = titles.filter(({ title }) => beginsInMidSentence(title));
    expect(wrong.map(({ file, line, title }) => `test/${file}:${line} ${title}`)).toEqual([]);
    expect(titles.length).toBeGreaterThan(1_000);
  });

  it('titles are found behind rows and options, in any quotes', () => {
    const source = [
      "it('one', () => {});",
      'it.concurrent("the store\'s", { timeout: 1 }, async () => {});',
      "it.each([['(', 1]])('three %s', (_what, n) => {});",
      'test.for(rows)(\n  `four`,\n  async ({ a }, test) => {});',
      "describe('on Lambda', () => {});",
      "expect(order).toEqual(['five']);",
    ].join('\n');
    expect(testTitles(source)).toEqual([
      { line: 1, title: 'one' },
      { line: 2, title: "the store's" },
      { line: 3, title: 'three %s' },
      { line: 4, title: 'four' },
    ]);
  });

  it.each(['and once more', 'Without a store', 'of a fan-out: the last', 'is parked', 'not where one came'])('"%s" is refused', (title) => {
    expect(beginsInMidSentence(title)).toBe(true);
  });

  it.each(['redelivers the record', 'a result that fits', 'island queues', '%s: is kept'])('"%s" is accepted', (title) => {
    expect(beginsInMidSentence(title)).toBe(false);
  });
});
