import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

/**
 * The folders of src, and those that each may import. biome.json says the same by what each may not: JSON has no lists
 * to share.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  topology: ['wire'],
  sqs: ['wire', 'topology'],
  payloads: ['wire', 'topology', 'sqs'],
  step: ['wire', 'topology', 'sqs', 'payloads'],
  lambda: ['wire', 'topology', 'sqs', 'payloads', 'step'],
  workflow: ['wire', 'topology', 'sqs', 'payloads', 'step', 'lambda'],
  client: ['wire', 'topology', 'sqs', 'payloads', 'step', 'lambda'],
  container: ['wire', 'topology', 'sqs', 'payloads', 'step'],
  transport: ['wire', 'topology', 'sqs', 'payloads', 'step', 'container'],
  opentelemetry: ['wire', 'topology', 'sqs', 'payloads', 'step', 'container', 'transport'],
  'engine-function': ['wire', 'topology', 'sqs', 'payloads', 'step', 'lambda', 'container', 'transport'],
  local: ['wire', 'topology', 'sqs', 'payloads', 'step', 'lambda', 'container', 'transport'],
};
/** May import all of them. */
const LAST = 'serverless';
const FOLDERS = [...Object.keys(MAY_IMPORT), LAST];

interface Override {
  readonly includes: readonly string[];
  readonly linter: {
    readonly rules: { readonly style?: { readonly noRestrictedImports?: { readonly options: { readonly patterns: readonly unknown[] } } } };
  };
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const { overrides }: { overrides: readonly Override[] } = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'));
const project = mkdtempSync(join(tmpdir(), 'import-direction-'));
copyFileSync(join(root, 'biome.json'), join(project, 'biome.json'));

afterAll(() => rmSync(project, { recursive: true }));

/** Lints one file that imports from a folder of src/; gives the lint rules it breaks. */
function lint(from: string, to: string): string {
  mkdirSync(join(project, 'src', from), { recursive: true });
  const file = join('src', from, 'probe.ts');
  writeFileSync(join(project, file), `import { x } from '${to}/x.ts';\n\nexport const y = x;\n`);
  const args = ['lint', '--vcs-enabled=false', '--reporter=github', file];
  return spawnSync(join(root, 'node_modules/.bin/biome'), args, { cwd: project, encoding: 'utf8' }).stdout;
}

describe('imports between the folders of src', () => {
  it.each(Object.entries(MAY_IMPORT))('%s: biome.json refuses every folder but those it may import', (folder, mayImport) => {
    const forbidden = FOLDERS.filter((other) => other !== folder && !mayImport.includes(other));
    const found = overrides
      .filter(({ includes }) => includes.includes(`src/${folder}/**`))
      .flatMap(({ linter }) => linter.rules.style?.noRestrictedImports?.options.patterns ?? []);
    const order =
      'wire <- topology <- sqs <- payloads <- step <- { lambda <- { workflow, client }, container <- transport <- opentelemetry } <- { engine-function, local } <- serverless';
    expect(found).toEqual([
      {
        group: [...forbidden.map((other) => `**/${other}/**`), '**/src/index.ts', '../index.ts'],
        message: `Imports point one way: ${order}. See CONTRIBUTING.md.`,
      },
    ]);
  });

  it('the table names every folder', () => {
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
    // The folder behind src/errors.ts, as open as that file.
    expect(folders.filter((folder) => folder !== 'errors').toSorted()).toEqual(FOLDERS.toSorted());
  });

  it('no file of src/errors imports from outside', () => {
    const files = readdirSync(join(root, 'src/errors')).map((file) => readFileSync(join(root, 'src/errors', file), 'utf8'));
    const sources = files.flatMap((text) => [...text.matchAll(/from '([^']+)'/g)].map(([, source]) => source));
    expect(files.length).toBeGreaterThan(3);
    expect(sources.filter((source) => source !== './base.ts')).toEqual([]);
  });

  it.each([
    ['sqs', '../step'],
    ['transport/results', '../../lambda'],
  ])('the linter refuses an import in %s from %s', (from, to) => {
    expect(lint(from, to)).toContain('noRestrictedImports');
  });

  it.each([
    ['step', '../sqs'],
    ['transport/results', '../../container'],
  ])('the linter accepts an import in %s from %s', (from, to) => {
    expect(lint(from, to)).not.toContain('noRestrictedImports');
  });
});
