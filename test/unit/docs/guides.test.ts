import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const folder = fileURLToPath(new URL('../../../docs/guide/', import.meta.url));
const pages = globSync('*.md', { cwd: folder }).toSorted();
const read = (page: string) => readFileSync(join(folder, page), 'utf8');

/** A new page gets its line in docs/guide/README.md. */
it('the list of guides names each of them', () => {
  const listed = [...read('README.md').matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, page]) => page);
  expect(listed.toSorted()).toEqual(pages.filter((page) => basename(page) !== 'README.md'));
});
