import { type ChildProcess, spawn } from 'node:child_process';
import { vi } from 'vitest';
import type { UserProject } from '../support/user-project.ts';

/** `sls durable local` in a terminal of the user's. */
export interface LocalService {
  /** All that it printed so far. */
  output(): string;
  /** Waits for a text at or behind a position of the output. */
  says(text: string | RegExp, from?: number): Promise<void>;
  /** The lines that it tells to paste into the shell of an engine. */
  environment(): Record<string, string>;
  stop(): Promise<void>;
}

export async function startLocalService(project: UserProject): Promise<LocalService> {
  // A group of its own, as a terminal gives it: npx does not hand on what ends it.
  const child: ChildProcess = spawn('npx', ['sls', 'durable', 'local', '--port', '0', '--visibility-timeout', '1'], {
    cwd: project.folder,
    env: project.environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const says: LocalService['says'] = (text, from = 0) =>
    vi.waitFor(
      () => {
        const since = output.slice(from);
        const said = typeof text === 'string' ? since.includes(text) : text.test(since);
        if (!said) throw new Error(`expected "${text}", got\n${since}`);
      },
      { timeout: 60_000, interval: 50 },
    );
  await says('ready; Ctrl-C stops it');
  return {
    output: () => output,
    says,
    environment: () =>
      Object.fromEntries([...output.matchAll(/^ {2}export (\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value])),
    async stop() {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
      await exited;
    },
  };
}
