import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const PYTHON = path('../../.venv/bin/python');

/**
 * Asked for once per file, before any test: these tests fail where Python is not there, and never pass by being left
 * out.
 */
export function requirePython(): void {
  if (!existsSync(path('../../.venv/installed-requirements.txt'))) {
    throw new Error('the Python packages of .ci/python-requirements.txt are not installed in .venv: run .ci/install-python');
  }
}

/** Where a Python process finds the SQS server (and S3, where that server has it). */
export function awsEnvironment(endpoint: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  };
}

export interface PythonProcess {
  /** JSON lines of its stdout so far. */
  readonly lines: readonly unknown[];
  /** Its exit code (or signal), once it has ended. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** What it wrote to stderr. */
  stderr(): string;
  /** Asks it to end; kills it after 15 s. */
  stop(): Promise<void>;
}

/** Starts a script of `python/`. */
export function startPython(
  script: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  onLine = (_line: unknown) => {},
): PythonProcess {
  const child = spawnPython(script, args, env);
  const lines: unknown[] = [];
  let stderr = '';
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line: unknown = JSON.parse(text);
    lines.push(line);
    onLine(line);
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const ended = endOf(child);
  return {
    lines,
    ended,
    stderr: () => stderr,
    async stop() {
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), 15_000);
      await ended;
      clearTimeout(killer);
    },
  };
}

/** Runs a script of `python/` to its end; gives its stdout. */
export async function runPython(script: string, args: readonly string[], env: NodeJS.ProcessEnv, stdin = ''): Promise<string> {
  const child = spawnPython(script, args, env);
  const out: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk) => out.push(chunk));
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  child.stdin.end(stdin);
  const code = await endOf(child);
  if (code !== 0) throw new Error(`${script} ended with ${code}: ${stderr}`);
  return Buffer.concat(out).toString('utf8');
}

function spawnPython(script: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcessWithoutNullStreams {
  requirePython();
  // Its streams are UTF-8 whatever the locale.
  return spawn(PYTHON, ['-X', 'utf8', path(`python/${script}`), ...args], { env: { PYTHONDONTWRITEBYTECODE: '1', ...env } });
}

function endOf(child: ChildProcessWithoutNullStreams): Promise<number | NodeJS.Signals> {
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code, signal) => resolve(code ?? signal ?? 0));
  });
}
