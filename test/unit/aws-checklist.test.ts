import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(root + path, 'utf8');

/** The tests that the page names, as file and title. */
const NAMED = /`([\w/-]+(?:\.test)?\.ts)`: (.+?) \|$/gm;

it('docs/aws-checklist.md names tests that exist', () => {
  const named = [...read('docs/aws-checklist.md').matchAll(NAMED)].map(([, file = '', title = '']) => ({ file, title }));
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter(({ file, title }) => !read(`test/deployed/${file}`).includes(`'${title}'`))).toEqual([]);
});
