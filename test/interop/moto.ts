import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import { requirePython } from './python.ts';

export interface Moto {
  readonly endpoint: string;
  stop(): Promise<void>;
}

/**
 * moto: SQS and S3 in one server. The extended client for Python cannot delete on fauxqs, whose receipt handles hold a
 * `-`; AWS's do not.
 */
export async function startMoto(): Promise<Moto> {
  requirePython();
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const command = fileURLToPath(new URL('../../.venv/bin/moto_server', import.meta.url));
  const child = spawn(command, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  try {
    const answers = async () => {
      if (!(await fetch(`${endpoint}/moto-api/`)).ok) throw new Error('moto does not answer yet');
    };
    await vi.waitFor(answers, { timeout: 60_000, interval: 100 });
  } catch (error) {
    await stop();
    throw error;
  }
  return { endpoint, stop };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}
