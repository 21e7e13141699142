import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string) => readFileSync(root + file, 'utf8');
const { engines, repository }: { engines: { node: string }; repository?: unknown } = JSON.parse(read('package.json'));

it('no file names a repository of this project that nobody has given', () => {
  expect(repository).toBeUndefined();
  const files = execFileSync('git', ['ls-files', '*.md', '*.yml', '*.json', 'src', '.github'], { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n');
  const named = files.filter((file) => /github\.com\/[\w.-]+\/durable-sqs-lambda/.test(read(file)));
  expect(files.length).toBeGreaterThan(200);
  expect(named).toEqual([]);
});

it('CI runs .ci/run on the oldest Node that the package allows and on the one that it is built with', () => {
  const workflow = read('.github/workflows/ci.yml');
  const oldest = /\d+/.exec(engines.node)?.[0];
  expect(workflow).toContain(`node: [${oldest}, ${read('.nvmrc').trim()}]`);
  expect(workflow).toContain('- run: .ci/run');
  expect(workflow).toContain('CI_NODE:');
  expect(read('.ci/run')).toContain('"node@$CI_NODE"');
});

it('a release is published with provenance', () => {
  const workflow = read('.github/workflows/release.yml');
  expect(workflow).toContain("NPM_CONFIG_PROVENANCE: 'true'");
  expect(workflow).toContain('id-token: write');
});
