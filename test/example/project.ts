import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const EXAMPLE = 'examples/checkout';
const COMMAND_TIMEOUT_MS = 120_000;

/** What this repository's npm scripts, and a developer's AWS account, would tell the programs of the example. */
const OURS = /^(AWS_|DURABLE_|PG|npm_|INIT_CWD|NODE_PATH|NODE_ENV|NODE_OPTIONS|VITEST)/;

/** The environment of a reader's shell: nothing of this repository in it but Node itself. */
export function readersEnvironment(own: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OURS.test(name)));
  const folders = (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.startsWith(ROOT));
  return { ...inherited, PATH: [dirname(process.execPath), ...folders].join(':'), NO_COLOR: '1', ...own };
}

/** A copy of the example outside this repository, with what would be published of the package installed in it. */
export async function copyExample(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'durable-checkout-'));
  // What is committed, or will be: no build and no installed packages of whoever tried the example in place.
  const { stdout } = await run('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', EXAMPLE], { cwd: ROOT });
  for (const path of stdout.trim().split('\n')) {
    const target = join(folder, path.slice(EXAMPLE.length + 1));
    await mkdir(dirname(target), { recursive: true });
    await cp(join(ROOT, path), target);
  }
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: ROOT, timeout: COMMAND_TIMEOUT_MS });
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  await commandIn(folder, `npm pkg set dependencies.durable-sqs-lambda=file:${tarball}`);
  return folder;
}

/**
 * Runs a line of a reader's shell to its end.
 * @returns its stdout
 * @throws Error with all that it printed, where it fails
 */
export async function commandIn(folder: string, line: string, own: Readonly<Record<string, string>> = {}): Promise<string> {
  try {
    const { stdout } = await run('bash', ['-c', line], {
      cwd: folder,
      env: readersEnvironment(own),
      timeout: COMMAND_TIMEOUT_MS,
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  } catch (error) {
    if (!(error instanceof Error) || !('stdout' in error) || !('stderr' in error)) throw error;
    throw new Error(`${line}\n${error.stdout}\n${error.stderr}`, { cause: error });
  }
}

/** The version that the example asks for, and the one that is packed. */
export async function versions(): Promise<{ readonly asked: string; readonly packed: string }> {
  const manifest = async (path: string) => JSON.parse(await readFile(join(ROOT, path), 'utf8'));
  const example: { dependencies: Record<string, string> } = await manifest(`${EXAMPLE}/package.json`);
  const own: { version: string } = await manifest('package.json');
  return { asked: example.dependencies['durable-sqs-lambda'] ?? 'none', packed: own.version };
}
