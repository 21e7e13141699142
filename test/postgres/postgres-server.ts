import { execFile, execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DatabaseOptions } from './database/open-store.d.mts';

const run = promisify(execFile);

/** Where Debian and Ubuntu put the servers, a folder for each major version. */
const INSTALLED = '/usr/lib/postgresql';
const USER = 'postgres';
/** Fits three engines, each with a pool of ten, and the test's own. */
const MAX_CONNECTIONS = 100;

/** A PostgreSQL server with a data directory and a port of its own, on 127.0.0.1 only. */
export interface PostgresServer {
  readonly version: string;
  /** An empty database, made now. */
  createDatabase(name: string): Promise<Pick<DatabaseOptions, 'port' | 'user' | 'database'>>;
  /** `pg_ctl restart -m immediate`: every connection is cut, and the server recovers as after a crash. */
  crash(): Promise<void>;
  /** Stops the server and removes its data. */
  stop(): Promise<void>;
}

/** @throws Error where PostgreSQL is not installed: `.ci/install-postgres` does that. */
export async function startPostgres(): Promise<PostgresServer> {
  const binaries = await findPostgres();
  const owner = await ownerOfServer();
  const home = await mkdtemp(join(tmpdir(), 'durable-postgres-'));
  if (owner !== undefined) await chown(home, owner.uid, owner.gid);
  const data = join(home, 'data');
  const log = join(home, 'log');
  const port = await freePort();
  // PostgreSQL refuses to run as root.
  const command = (name: string, ...args: string[]) => run(join(binaries, name), args, { ...owner, cwd: home, env: { LC_ALL: 'C' } });
  await command('initdb', '--pgdata', data, '--username', USER, '--auth', 'trust', '--encoding', 'UTF8', '--no-sync');
  // The operating system never crashes here, so nothing is lost without fsync: the server's own crash leaves what it
  // wrote to the system.
  const options = `-c listen_addresses=127.0.0.1 -c port=${port} -c unix_socket_directories= -c fsync=off -c max_connections=${MAX_CONNECTIONS}`;
  await command('pg_ctl', 'start', '--pgdata', data, '--log', log, '--wait', '--options', options);
  // Where the process ends before it has stopped the server.
  const end = () => {
    execFileSync(join(binaries, 'pg_ctl'), ['stop', '--pgdata', data, '--mode', 'immediate'], { ...owner, cwd: home, stdio: 'ignore' });
    rmSync(home, { recursive: true, force: true });
  };
  process.once('exit', end);
  const { stdout } = await command('postgres', '--version');
  return {
    version: stdout.trim(),
    async createDatabase(database) {
      await command('createdb', '--host', '127.0.0.1', '--port', String(port), '--username', USER, database);
      return { port, user: USER, database };
    },
    async crash() {
      await command('pg_ctl', 'restart', '--pgdata', data, '--log', log, '--wait', '--mode', 'immediate', '--options', options);
    },
    async stop() {
      process.off('exit', end);
      await command('pg_ctl', 'stop', '--pgdata', data, '--mode', 'immediate');
      await rm(home, { recursive: true, force: true });
    },
  };
}

/**
 * The folder of the newest server's programs.
 * @throws Error where there is none
 */
export async function findPostgres(): Promise<string> {
  const versions = existsSync(INSTALLED) ? await readdir(INSTALLED) : [];
  const newest = versions.filter((version) => existsSync(join(INSTALLED, version, 'bin/initdb'))).sort((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined) throw new Error(`no PostgreSQL server in ${INSTALLED}: run .ci/install-postgres`);
  return join(INSTALLED, newest, 'bin');
}

/** Who the server runs as: `postgres` where this process is root, else whoever this is. */
async function ownerOfServer(): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const id = async (flag: string) => Number((await run('id', [flag, USER])).stdout);
  return { uid: await id('-u'), gid: await id('-g') };
}

/** A port of 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('expected a TCP port');
  return address.port;
}
