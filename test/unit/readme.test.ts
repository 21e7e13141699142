import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  deadLetterQueueName,
  parkedQueueName,
  resultsDeadLetterQueueName,
  resultsQueueName,
  tasksQueueName,
} from '../../src/topology/queue-names.ts';
import { codeIn, compiled } from '../support/compiled-code.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const reference = readFileSync(join(root, 'docs/reference/names.md'), 'utf8');

/**
 * Pages with TypeScript, but for the recipe, which an integration test runs. README's user has a project of CommonJS.
 */
const pagesWithCode = ['README.md', ...globSync('docs/{*,guide/*,reference/*,concepts/*}.md', { cwd: root })]
  .map((path) => ({ path, code: codeIn(readFileSync(join(root, path), 'utf8')) }))
  .filter(({ code }) => code.length > 0);

describe('the docs', () => {
  it.each(pagesWithCode)('$path has code that compiles', { timeout: 60_000 }, ({ path, code }) => {
    const folder = path.replace(/\W/g, '-').toLowerCase();
    expect(compiled(folder, code, path === 'README.md' ? 'commonjs' : 'module')).toBe('');
  });

  it('have code, and README no more lines than a stranger reads', () => {
    expect(pagesWithCode.length).toBeGreaterThan(3);
    expect(codeIn(readme)).toHaveLength(2);
    expect(readme.split('\n').length).toBeLessThanOrEqual(201);
  });

  it('have no import that only allowImportingTsExtensions lets compile', () => {
    // The program of the reference is run by Node itself, which wants the extension.
    expect(codeIn(readme).filter((code) => /from '\.[^']*\.ts'/.test(code))).toEqual([]);
  });

  it('show one module for NestJS, in README and in its guide', () => {
    const moduleIn = (page: string) => /^```typescript\n(.*?)^```$/ms.exec(readFileSync(join(root, page), 'utf8'))?.[1];
    expect(moduleIn('docs/guide/nestjs.md')).toContain('DurableModule.forRoot');
    expect(moduleIn('docs/guide/nestjs.md')).toBe(moduleIn('README.md'));
  });

  it('name only files and folders of the repository that exist', () => {
    const tracked = spawnSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).stdout.split('\n');
    const exists = (path: string) => existsSync(join(root, path)) || tracked.some((file) => file.endsWith(`/${path}`));
    const pages = packedFiles().filter((path) => path.endsWith('.md') && path !== 'CHANGELOG.md');
    const named = pages.flatMap((page) => {
      // README names files of the user's, too.
      const names = page === 'README.md' ? /`((?:src|test|bench|docs|\.ci)\/[\w./-]*\w\/?)`/g : /`([\w.-]+(?:\/[\w.-]+)*\/?)`/g;
      const found = [...readFileSync(join(root, page), 'utf8').matchAll(names)].map(([, path = '']) => path);
      return found.filter((path) => /^(src|test|bench|docs|\.ci)\/|^[\w/-]+(\.test)?\.ts$/.test(path)).map((path) => ({ page, path }));
    });
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter(({ path }) => !exists(path))).toEqual([]);
  });

  it('name every folder of src where they describe the architecture', () => {
    const page = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
    expect(folders.filter((folder) => !page.includes(`| \`src/${folder}\` |`))).toEqual([]);
  });

  it('say of every test script what it needs', () => {
    const { scripts }: { scripts: Readonly<Record<string, string>> } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const page = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
    const suites = Object.keys(scripts).filter((name) => name.startsWith('test:'));
    expect(suites.filter((name) => !page.includes(`| \`npm run ${name}\` |`))).toEqual([]);
  });

  it('give the names of queues as the naming module does', () => {
    for (const token of ['py_echo', 'payments.charge-card', 'charge@acme']) {
      expect(reference).toContain(`| \`${token}\` | \`${tasksQueueName(token)}\` |`);
    }
    for (const name of [resultsQueueName(), resultsDeadLetterQueueName(), deadLetterQueueName('x'), parkedQueueName('x')]) {
      expect(reference).toContain(`\`${name.replace(/x$/, '…')}\``);
    }
  });
});

/** What `npm pack` would put into the tarball, less what is built. */
function packedFiles(): string[] {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8' });
  const [{ files }]: [{ files: readonly { path: string }[] }] = JSON.parse(stdout);
  return files.map(({ path }) => path);
}
