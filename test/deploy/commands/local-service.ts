import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { vi } from 'vitest';
import { root } from '../sls.ts';

const SLS = join(root, 'node_modules/serverless/bin/serverless.js');

/** A service in a folder of its own inside the repository, where the package finds itself by name. */
export function makeService(
  name: string,
  files: Readonly<Record<string, string>>,
): { readonly dir: string; write(file: string, text: string): void } {
  const dir = join(root, 'reports', `${name}-${process.pid}`);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const write = (file: string, text: string) => {
    // In one step, as editors do: a watcher must not see a file that is half written.
    const written = join(dir, `${file}.new`);
    mkdirSync(dirname(written), { recursive: true });
    writeFileSync(written, text);
    renameSync(written, join(dir, file));
  };
  for (const [file, text] of Object.entries(files)) write(file, text);
  return { dir, write };
}

export interface LocalRun {
  readonly child: ChildProcess;
  /** What `--json` printed. */
  readonly events: Record<string, unknown>[];
  /** Waits for an event at or behind a position. */
  event(wanted: Readonly<Record<string, unknown>>, from?: number): Promise<Record<string, unknown>>;
  /** What it wrote to stderr. */
  stderr(): string;
  /**
   * Interrupts it as Ctrl-C in a terminal does, which reaches the processes it has started too; gives its exit code.
   */
  stop(): Promise<number | null>;
}

/** `sls durable local --json` in a process of its own. */
export function startLocal(serviceDir: string, args: readonly string[]): LocalRun {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(AWS|DURABLE|VITEST|NODE)_/.test(name));
  const child = spawn(process.execPath, [SLS, 'durable', 'local', '--json', ...args], {
    cwd: serviceDir,
    env: { ...Object.fromEntries(inherited), NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, as a terminal gives it.
    detached: true,
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const events: Record<string, unknown>[] = [];
  let rest = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    // Whatever handlers print, stdout is for machines.
    for (const line of lines) events.push(JSON.parse(line));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  return {
    child,
    events,
    event: (wanted, from = 0) =>
      vi.waitFor(
        () => {
          const found = events.slice(from).find((event) => Object.entries(wanted).every(([key, value]) => event[key] === value));
          if (found === undefined) throw new Error(`expected an event ${JSON.stringify(wanted)}, got ${JSON.stringify(events)} ${errors}`);
          return found;
        },
        { timeout: 60_000, interval: 50 },
      ),
    stderr: () => errors,
    stop: () => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
      return exited;
    },
  };
}
