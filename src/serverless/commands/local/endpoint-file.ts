import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isRecord } from '../../../wire/shape.ts';
import { writeJsonFile } from '../output/json-file.ts';

/** The port of `sls durable local` without `--port`. */
export const DEFAULT_LOCAL_PORT = 9324;

/** The endpoint of `sls durable local` of this service: of the one that runs, else the one that it would have by default. */
export function localEndpoint(serviceDir: string): string {
  return readLocalEndpoint(localEndpointFile(serviceDir)) ?? `http://127.0.0.1:${DEFAULT_LOCAL_PORT}`;
}

/**
 * The file in which `sls durable local` leaves its endpoint for the commands with `--local`: one per folder of a service, readable by the
 * user only. Not in the service's `.serverless`, which every `serverless package` empties.
 */
export function localEndpointFile(serviceDir: string, temporaryDir = tmpdir()): string {
  const service = createHash('sha256').update(realpathSync(serviceDir)).digest('hex').slice(0, 16);
  return join(temporaryDir, `durable-sqs-lambda-${process.getuid?.() ?? 'user'}`, `${service}.json`);
}

export function writeLocalEndpoint(file: string, endpoint: string): void {
  writeJsonFile('sls durable local', file, { endpoint, pid: process.pid });
  // The folder of temporary files is everybody's.
  chmodSync(dirname(file), 0o700);
  chmodSync(file, 0o600);
}

/** The endpoint in the file; undefined where the process that wrote it has ended. */
export function readLocalEndpoint(file: string): string | undefined {
  const found = contents(file);
  const endpoint = found['endpoint'];
  const pid = found['pid'];
  return typeof endpoint === 'string' && typeof pid === 'number' && runs(pid) ? endpoint : undefined;
}

/** Removes the file, unless another process has written it since. */
export function removeLocalEndpoint(file: string): void {
  if (contents(file)['pid'] === process.pid) rmSync(file, { force: true });
}

function contents(file: string): Record<string, unknown> {
  try {
    // A file of another user could send our commands to any host.
    if (process.getuid !== undefined && statSync(file).uid !== process.getuid()) return {};
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isRecord(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
