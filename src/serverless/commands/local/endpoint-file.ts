import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isRecord } from '../../../wire/shape.ts';
import { CommandError } from '../command-error.ts';

/** The port of `sls durable local` without `--port`. */
export const DEFAULT_LOCAL_PORT = 9324;

/**
 * The endpoint of `sls durable local` of this service: of the one that runs, else the one that it would have by
 * default.
 */
export function localEndpoint(serviceDir: string): string {
  return readLocalEndpoint(localEndpointFile(serviceDir)) ?? `http://127.0.0.1:${DEFAULT_LOCAL_PORT}`;
}

/**
 * The file in which `sls durable local` leaves its endpoint for the commands with `--local`: one per folder of a
 * service, readable by the user only. Not in the service's `.serverless`, which every `serverless package` empties.
 */
export function localEndpointFile(serviceDir: string, temporaryDir = tmpdir()): string {
  const service = createHash('sha256').update(realpathSync(serviceDir)).digest('hex').slice(0, 16);
  return join(temporaryDir, `durable-sqs-lambda-${process.getuid?.() ?? 'user'}`, `${service}.json`);
}

/**
 * Writes the file under a new name and renames it: whatever another user of the shared temporary folder has put in its
 * place (a symbolic link, a hard link) is replaced, not written to.
 * @throws CommandError where the folder is not this user's own
 */
export function writeLocalEndpoint(file: string, endpoint: string, uid = process.getuid?.()): void {
  const folder = dirname(file);
  ownFolder(folder, uid);
  const written = join(folder, `${randomUUID()}.new`);
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  const descriptor = openSync(written, O_CREAT | O_EXCL | O_WRONLY, OWNER_ONLY_FILE);
  try {
    writeFileSync(descriptor, `${JSON.stringify({ endpoint, pid: process.pid })}\n`);
  } finally {
    closeSync(descriptor);
  }
  renameSync(written, file);
}

/**
 * The endpoint in the file; undefined where the process that wrote it has ended, or another user could have written it.
 */
export function readLocalEndpoint(file: string, uid = process.getuid?.()): string | undefined {
  const { endpoint, pid } = contents(file, uid);
  return typeof endpoint === 'string' && typeof pid === 'number' && runs(pid) ? endpoint : undefined;
}

/** Removes the file, unless another process has written it since. */
export function removeLocalEndpoint(file: string): void {
  if (contents(file, process.getuid?.())['pid'] === process.pid) rmSync(file, { force: true });
}

const OWNER_ONLY_FOLDER = 0o700;
const OWNER_ONLY_FILE = 0o600;
const WRITABLE_BY_OTHERS = 0o022;
/** Windows has neither; there the temporary folder is the user's own. */
const { O_RDONLY, O_NOFOLLOW = 0, O_DIRECTORY = 0 } = constants;

/**
 * Makes the folder one that only this user can write to. Its mode is set through a descriptor, so on the very folder
 * that was checked.
 */
function ownFolder(folder: string, uid: number | undefined): void {
  let descriptor: number | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: OWNER_ONLY_FOLDER });
    if (uid === undefined) return;
    descriptor = openSync(folder, O_RDONLY | O_NOFOLLOW | O_DIRECTORY);
    if (fstatSync(descriptor).uid !== uid) throw new Error('another user owns it');
    fchmodSync(descriptor, OWNER_ONLY_FOLDER);
  } catch (cause) {
    throw new CommandError(`expected ${folder} to be a folder of this user, which nobody else can write to; remove what is there`, {
      cause,
    });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/**
 * The fields of the file. Empty where another user could have written it: that user would choose where our commands go.
 */
function contents(file: string, uid: number | undefined): Record<string, unknown> {
  let descriptor: number | undefined;
  try {
    if (uid !== undefined && !isOwn(lstatSync(dirname(file)), uid)) return {};
    descriptor = openSync(file, O_RDONLY | O_NOFOLLOW);
    if (uid !== undefined && fstatSync(descriptor).uid !== uid) return {};
    const parsed: unknown = JSON.parse(readFileSync(descriptor, 'utf8'));
    return isRecord(parsed) ? parsed : {};
  } catch {
    return {};
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function isOwn(folder: Stats, uid: number): boolean {
  return folder.isDirectory() && folder.uid === uid && (folder.mode & WRITABLE_BY_OTHERS) === 0;
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
