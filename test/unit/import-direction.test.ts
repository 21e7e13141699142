import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const project = mkdtempSync(join(tmpdir(), 'import-direction-'));
copyFileSync(join(root, 'biome.json'), join(project, 'biome.json'));

afterAll(() => rmSync(project, { recursive: true }));

/** Lints one file that imports from a folder of src/; gives the lint rules it breaks. */
function lint(from: string, to: string): string {
  mkdirSync(join(project, 'src', from), { recursive: true });
  const file = join('src', from, 'probe.ts');
  const up = '../'.repeat(from.split('/').length);
  writeFileSync(join(project, file), `import { x } from '${up}${to}/x.ts';\n\nexport const y = x;\n`);
  const args = ['lint', '--vcs-enabled=false', '--reporter=github', file];
  return spawnSync(join(root, 'node_modules/.bin/biome'), args, { cwd: project, encoding: 'utf8' }).stdout;
}

describe('imports point one way, and the linter holds it', () => {
  it.each([
    ['wire', 'sqs'],
    ['topology', 'sqs'],
    ['sqs', 'step'],
    ['step', 'lambda'],
    ['lambda', 'container'],
    ['lambda', 'transport'],
    ['container', 'lambda'],
    ['container', 'transport'],
    ['transport', 'lambda'],
    ['transport', 'local'],
    ['transport/engine', 'lambda'],
    ['transport/results', 'serverless'],
    ['local', 'serverless'],
  ])('%s may not import %s', (from, to) => {
    expect(lint(from, to)).toContain('noRestrictedImports');
  });

  it.each([
    ['sqs', 'wire'],
    ['step', 'sqs'],
    ['lambda', 'step'],
    ['topology', 'wire'],
    ['transport', 'container'],
    ['transport/results', 'sqs'],
    ['transport', 'topology'],
    ['local', 'lambda'],
  ])('%s may import %s', (from, to) => {
    expect(lint(from, to)).not.toContain('noRestrictedImports');
  });
});
