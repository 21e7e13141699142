import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  localEndpointFile,
  readLocalEndpoint,
  removeLocalEndpoint,
  writeLocalEndpoint,
} from '../../../../../src/serverless/commands/local/endpoint-file.ts';

const temporary = mkdtempSync(join(tmpdir(), 'local-endpoint-'));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

describe('the endpoint file of sls durable local', () => {
  const file = localEndpointFile(temporary, temporary);

  it('lies outside the service, one per service, readable by the user only', () => {
    writeLocalEndpoint(file, 'http://127.0.0.1:1');
    expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(localEndpointFile(dirname(file), temporary)).not.toBe(file);
    expect(readLocalEndpoint(file)).toBe('http://127.0.0.1:1');
  });

  it('counts only while its process runs, and is removed by that process only', () => {
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
