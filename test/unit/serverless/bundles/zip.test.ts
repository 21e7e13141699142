import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { unzip } from '../../../../src/serverless/bundles/zip.ts';
import { writeZip } from '../../../support/zip-archive.ts';

const folder = mkdtempSync(join(tmpdir(), 'zip-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const archive = join(folder, 'a.zip');

describe('unzip', () => {
  it.each([true, false])('unpacks files in their folders (deflated: %s)', (deflated) => {
    writeZip(archive, { 'handlers/pay.mjs': 'export const a = "ä";\n'.repeat(100), 'node_modules/': '', 'b.txt': '' }, deflated);
    const target = join(folder, `out-${deflated}`);
    unzip(archive, target);
    expect(readdirSync(target).sort()).toEqual(['b.txt', 'handlers']);
    expect(readFileSync(join(target, 'handlers/pay.mjs'), 'utf8')).toBe('export const a = "ä";\n'.repeat(100));
    expect(readFileSync(join(target, 'b.txt'), 'utf8')).toBe('');
  });

  it('refuses a file outside of the folder', () => {
    writeZip(archive, { '../evil.txt': 'x' });
    expect(() => unzip(archive, join(folder, 'inside'))).toThrow('holds a file outside of itself: ../evil.txt');
    expect(readdirSync(folder)).not.toContain('evil.txt');
  });

  it('refuses what is no archive', () => {
    writeFileSync(archive, 'no archive at all, but long enough to hold one');
    expect(() => unzip(archive, folder)).toThrow('expected a zip archive');
  });
});
