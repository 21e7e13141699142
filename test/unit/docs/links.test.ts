import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const PAGES = ['*.md', '{docs,examples,bench,.github}/**/*.md'];

const pages = globSync(PAGES, { cwd: root }).filter((path) => !path.includes('node_modules'));
const links = pages.flatMap((page) => linksOf(page));

it('every relative link leads to a file and a heading that exist', () => {
  expect(pages).toContain('README.md');
  expect(links.length).toBeGreaterThan(50);
  const broken = links.filter(
    ({ path, anchor }) => !existsSync(join(root, path)) || (anchor !== undefined && !anchorsOf(path).includes(anchor)),
  );
  expect(broken.map(shown)).toEqual([]);
});

it('every page of the npm package links to files that are in it, too', () => {
  const packed = packedFiles();
  const isPacked = (path: string) => packed.some((file) => file === path || file.startsWith(`${path.replace(/\/$/, '')}/`));
  const ofPackage = links.filter(({ page }) => packed.includes(page));
  expect(ofPackage.length).toBeGreaterThan(50);
  expect(ofPackage.filter(({ path }) => !isPacked(path)).map(shown)).toEqual([]);
});

it('every page under docs is reached by links from README', () => {
  const reached = new Set(['README.md']);
  // A walk over a set visits what is added on the way, too.
  for (const page of reached) {
    for (const link of links) if (link.page === page) reached.add(link.path);
  }
  expect(pages.filter((page) => page.startsWith('docs/') && !reached.has(page))).toEqual([]);
});

interface RelativeLink {
  readonly page: string;
  /** From the root of the repository. */
  readonly path: string;
  readonly anchor: string | undefined;
}

function shown({ page, path, anchor }: RelativeLink): string {
  return `${page} links to ${path}${anchor === undefined ? '' : `#${anchor}`}`;
}

/** Images are links, too. */
function linksOf(page: string): RelativeLink[] {
  const found = textOf(page).matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)/g);
  return [...found].map(([, path = '', anchor]) => ({ page, path: path === '' ? page : normalize(join(dirname(page), path)), anchor }));
}

/** The anchors of a page's headings, as GitHub makes them: a heading that comes again gets a number. */
function anchorsOf(page: string): string[] {
  const seen = new Map<string, number>();
  return [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    const before = seen.get(anchor) ?? 0;
    seen.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
}

/** A page without its blocks of code, in which `#` begins a comment. */
function textOf(page: string): string {
  return readFileSync(join(root, page), 'utf8').replace(/^ *```.*?^ *```$/gms, '');
}

/** What `npm pack` would put into the tarball, less what is built. */
function packedFiles(): string[] {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8' });
  const [{ files }]: [{ files: readonly { path: string }[] }] = JSON.parse(stdout);
  return files.map(({ path }) => path);
}
