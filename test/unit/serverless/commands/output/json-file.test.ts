import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeJsonFile } from '../../../../../src/serverless/commands/output/json-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'json-file-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const mode = (file: string) => statSync(file).mode & 0o777;

describe('writeJsonFile', () => {
  it('makes the folders above the file', () => {
    const file = join(folder, 'a/b/x.json');
    writeJsonFile('--out', file, { a: 1 });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ a: 1 });
  });

  it('makes a private file readable by its owner only, also where it exists', () => {
    const [fresh, old] = [join(folder, 'fresh.json'), join(folder, 'old.json')];
    writeFileSync(old, 'longer than what comes');
    chmodSync(old, 0o644);
    for (const file of [fresh, old]) {
      writeJsonFile('--save', file, [1], { private: true });
      expect([mode(file), readFileSync(file, 'utf8')]).toEqual([0o600, '[\n  1\n]\n']);
    }
  });
});
