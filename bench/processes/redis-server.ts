import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../test/postgres/postgres-server.ts';

const BINARY = '/usr/bin/redis-server';
const STARTS_WITHIN_MS = 10_000;

/** A Redis server with a port of its own, on 127.0.0.1 only, that writes nothing to disk. */
export interface RedisServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** @throws Error where Redis is not installed. */
export async function findRedis(): Promise<void> {
  if (!existsSync(BINARY)) throw new Error(`expected ${BINARY}, found none: run .ci/install-postgres`);
}

/** @throws Error where Redis is not installed: `.ci/install-postgres` does that. */
export async function startRedis(): Promise<RedisServer> {
  await findRedis();
  const home = await mkdtemp(join(tmpdir(), 'durable-redis-'));
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', home, '--daemonize', 'no'];
  const child = spawn(BINARY, args, { stdio: 'ignore' });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const deadline = Date.now() + STARTS_WITHIN_MS;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error('the Redis server did not start');
    await sleep(20);
  }
  return {
    port,
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(home, { recursive: true, force: true });
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
