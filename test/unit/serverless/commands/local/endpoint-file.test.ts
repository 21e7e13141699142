import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  localEndpointFile,
  readLocalEndpoint,
  removeLocalEndpoint,
  writeLocalEndpoint,
} from '../../../../../src/serverless/commands/local/endpoint-file.ts';

const ENDPOINT = 'http://127.0.0.1:1';
const mode = (path: string) => statSync(path).mode & 0o777;

let temporary: string;
let file: string;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'local-endpoint-'));
  file = localEndpointFile(temporary, temporary);
});
afterEach(() => rmSync(temporary, { recursive: true, force: true }));

describe('the endpoint file of sls durable local', () => {
  it('lies outside the service, one per service, readable by the user only', () => {
    writeLocalEndpoint(file, ENDPOINT);
    expect([mode(dirname(file)), mode(file)]).toEqual([0o700, 0o600]);
    expect(readdirSync(dirname(file))).toHaveLength(1);
    expect(localEndpointFile(dirname(file), temporary)).not.toBe(file);
    expect(readLocalEndpoint(file)).toBe(ENDPOINT);
  });

  it('replaces the file of an earlier process', () => {
    writeLocalEndpoint(file, 'http://127.0.0.1:7');
    writeLocalEndpoint(file, ENDPOINT);
    expect(readLocalEndpoint(file)).toBe(ENDPOINT);
  });

  it('counts only while its process runs, and is removed by that process only', () => {
    writeLocalEndpoint(file, ENDPOINT);
    removeLocalEndpoint(file);
    expect(readLocalEndpoint(file)).toBeUndefined();
    // The first process of a machine always runs; no process has the second id.
    writeFileSync(file, JSON.stringify({ endpoint: 'http://127.0.0.1:2', pid: 1 }));
    removeLocalEndpoint(file);
    expect(readFileSync(file, 'utf8')).toContain('127.0.0.1:2');
    writeFileSync(file, JSON.stringify({ endpoint: 'http://127.0.0.1:2', pid: 2 ** 30 }));
    expect(readLocalEndpoint(file)).toBeUndefined();
    writeFileSync(file, 'no JSON');
    expect(readLocalEndpoint(file)).toBeUndefined();
  });
});

describe('the endpoint file in a folder that everybody can write to', () => {
  it('writeLocalEndpoint replaces a symbolic link, and does not write through it', () => {
    const victim = join(temporary, 'victim');
    writeFileSync(victim, 'mine', { mode: 0o644 });
    mkdirSync(dirname(file), { mode: 0o700 });
    symlinkSync(victim, file);
    writeLocalEndpoint(file, ENDPOINT);
    expect([readFileSync(victim, 'utf8'), mode(victim)]).toEqual(['mine', 0o644]);
    expect(readLocalEndpoint(file)).toBe(ENDPOINT);
  });

  it('readLocalEndpoint does not follow a symbolic link', () => {
    const elsewhere = join(temporary, 'elsewhere.json');
    writeFileSync(elsewhere, JSON.stringify({ endpoint: ENDPOINT, pid: process.pid }));
    mkdirSync(dirname(file), { mode: 0o700 });
    symlinkSync(elsewhere, file);
    expect(readLocalEndpoint(file)).toBeUndefined();
    removeLocalEndpoint(file);
    expect(existsSync(elsewhere)).toBe(true);
  });

  it('refuses a folder that is a symbolic link', () => {
    const elsewhere = join(temporary, 'elsewhere');
    mkdirSync(elsewhere, { mode: 0o755 });
    symlinkSync(elsewhere, dirname(file));
    expect(() => writeLocalEndpoint(file, ENDPOINT)).toThrow(`expected ${dirname(file)} to be a folder of this user`);
    expect([readdirSync(elsewhere), mode(elsewhere)]).toEqual([[], 0o755]);
    writeFileSync(join(elsewhere, file.slice(dirname(file).length + 1)), JSON.stringify({ endpoint: ENDPOINT, pid: process.pid }));
    expect(readLocalEndpoint(file)).toBeUndefined();
  });

  it('refuses a folder that is a file', () => {
    writeFileSync(dirname(file), '');
    expect(() => writeLocalEndpoint(file, ENDPOINT)).toThrow('to be a folder of this user');
    expect(readLocalEndpoint(file)).toBeUndefined();
  });

  it('refuses a folder of another user', () => {
    writeLocalEndpoint(file, ENDPOINT);
    const other = (process.getuid?.() ?? 0) + 1;
    expect(readLocalEndpoint(file, other)).toBeUndefined();
    expect(() => writeLocalEndpoint(file, 'http://127.0.0.1:2', other)).toThrow('to be a folder of this user');
    expect(readLocalEndpoint(file)).toBe(ENDPOINT);
  });

  it('readLocalEndpoint refuses a folder that others can write to, and writeLocalEndpoint closes it', () => {
    writeLocalEndpoint(file, ENDPOINT);
    chmodSync(dirname(file), 0o777);
    expect(readLocalEndpoint(file)).toBeUndefined();
    writeLocalEndpoint(file, ENDPOINT);
    expect(mode(dirname(file))).toBe(0o700);
    expect(readLocalEndpoint(file)).toBe(ENDPOINT);
  });

  it('writeLocalEndpoint replaces a hard link, and does not change its file', () => {
    const victim = join(temporary, 'victim');
    writeFileSync(victim, 'mine');
    mkdirSync(dirname(file), { mode: 0o700 });
    linkSync(victim, file);
    writeLocalEndpoint(file, ENDPOINT);
    expect(readFileSync(victim, 'utf8')).toBe('mine');
  });
});
