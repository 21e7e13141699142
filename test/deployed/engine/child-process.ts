import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { AwsAddress, Credentials } from '../server/aws-server.ts';
import { awsEnvironment } from '../server/environment.ts';

export interface Child {
  readonly process: ChildProcess;
  /** Rejects when the process has ended, with what it has logged. */
  readonly failed: Promise<never>;
  /** What it has logged. */
  log(): string;
  /** Disconnects it, which asks it to end, and waits until it has. */
  stop(): Promise<void>;
  /** Ends it where it stands, as a crash does. */
  kill(): Promise<void>;
}

/**
 * Starts a program of this folder, which holds the given credentials and no others, and waits until it says `{ kind:
 * 'ready' }`.
 */
export async function startChild(
  program: string,
  aws: AwsAddress,
  credentials: Credentials,
  environment: Readonly<Record<string, string>>,
): Promise<Child> {
  const child = fork(fileURLToPath(new URL(program, import.meta.url)), {
    env: { PATH: process.env['PATH'], ...awsEnvironment(aws, credentials), ...environment },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
  }
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const failed = exited.then(() => Promise.reject(new Error(`${program} has ended:\n${log}`)));
  failed.catch(() => undefined);
  const ready = new Promise<void>((resolve) => {
    child.on('message', (message: { readonly kind: string }) => {
      if (message.kind === 'ready') resolve();
    });
  });
  await Promise.race([ready, failed]);
  return {
    process: child,
    failed,
    log: () => log,
    stop: async () => {
      if (child.connected) child.disconnect();
      await exited;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
