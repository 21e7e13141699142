import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * No credentials and no endpoint: all of this works on a laptop that has never seen AWS. What npm tells its scripts is
 * not the user's either.
 */
const OURS = /^(AWS_|DURABLE_|npm_(package|lifecycle|command|config_local_prefix|config_prefix)|INIT_CWD|NODE_PATH|VITEST|NODE_ENV)/;
const nodeFolder = dirname(process.execPath);

export interface ShellRun {
  readonly status: number | null;
  /** Both outputs. */
  readonly output: string;
}

/** A folder of a user who has nothing of this repository but the packed package. */
export interface UserProject {
  readonly folder: string;
  /** The very set of files that would be published. */
  readonly tarball: string;
  write(path: string, text: string): void;
  read(path: string): string;
  /** The environment of a shell of the user's own: nothing of this repository's on the path. */
  environment(more?: Readonly<Record<string, string>>): Record<string, string | undefined>;
  /** Runs one line to its end. */
  run(line: string, more?: Readonly<Record<string, string>>): ShellRun;
  /** Runs one line that must succeed; gives its output. */
  shell(line: string): string;
  remove(): void;
}

/** Makes an empty project, and packs the package (which `npm test` has built). */
export function userProject(name: string): UserProject {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  const packed = mkdtempSync(join(tmpdir(), `${name}-packed-`));
  execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', packed], { cwd: root, encoding: 'utf8', stdio: 'pipe' });
  const tarball = join(packed, readdirSync(packed).find((file) => file.endsWith('.tgz')) ?? 'no tarball');

  const environment: UserProject['environment'] = (more = {}) => {
    const env = Object.fromEntries(Object.entries(process.env).filter(([variable]) => !OURS.test(variable)));
    const folders = (process.env['PATH'] ?? '').split(':').filter((entry) => !entry.startsWith(root));
    return { ...env, PATH: [nodeFolder, ...folders].join(':'), CI: 'true', NO_COLOR: '1', ...more };
  };
  const run: UserProject['run'] = (line, more) => {
    const ended = spawnSync('bash', ['-c', line], { cwd: folder, encoding: 'utf8', env: environment(more), timeout: 240_000 });
    return { status: ended.status, output: ended.stdout + ended.stderr };
  };
  return {
    folder,
    tarball,
    write(path, text) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    },
    read: (path) => readFileSync(join(folder, path), 'utf8'),
    environment,
    run,
    shell(line) {
      const { status, output } = run(line);
      if (status !== 0) throw new Error(`${line}\nexit ${status}\n${output}`);
      return output;
    },
    remove() {
      for (const made of [folder, packed]) rmSync(made, { recursive: true, force: true });
    },
  };
}

export interface CodeBlock {
  readonly language: string;
  readonly code: string;
  /** The file that its first line names. */
  readonly path: string | undefined;
}

/** The blocks of code of README, or of one section of it, in their order. */
export function readmeBlocks(heading?: string): CodeBlock[] {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  return blocksIn(heading === undefined ? readme : sectionOf(readme, heading));
}

/** The blocks of code of a page of docs/guide, in their order. */
export function guideBlocks(page: string): CodeBlock[] {
  return blocksIn(readFileSync(join(root, 'docs/guide', page), 'utf8'));
}

/** The one block of code that is a file of this name. */
export function fileIn(blocks: readonly CodeBlock[], path: string): string {
  const found = blocks.find((block) => block.path === path);
  if (found === undefined) throw new Error(`expected a block of code that begins with a comment "${path}", got none`);
  return found.code;
}

function blocksIn(text: string): CodeBlock[] {
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', code = '']) => {
    return { language, code, path: /^(?:\/\/|#) (\S+\.\w+)\n/.exec(code)?.[1] };
  });
}

function sectionOf(page: string, heading: string): string {
  const start = page.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`expected a heading "${heading}" in README.md, got none`);
  const text = page.slice(start + heading.length + 2);
  const level = /^#+/.exec(heading)?.[0].length ?? 1;
  // A comment in a block of code has one mark only.
  const end = text.search(new RegExp(`^#{2,${level}} `, 'm'));
  return end < 0 ? text : text.slice(0, end);
}

/** Lines of shell blocks without their comments. */
export function commandsIn(blocks: readonly CodeBlock[]): string[] {
  const lines = blocks.filter(({ language }) => language === 'sh').flatMap(({ code }) => code.split('\n'));
  return lines.map((line) => line.replace(/ +#.*$/, '').trim()).filter((line) => line !== '');
}
