import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { beforeAll, expect, it } from 'vitest';

const MINUTE_MS = 60_000;
const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const ROOT = at('');
const APP = at('test/nest-app');
/** Written when `npm ci` has come to its end. */
const STAMP = at('test/nest-app/node_modules/.installed-lock');
const PACKAGE = at('test/nest-app/node_modules/durable-sqs-lambda');

interface Ended {
  readonly code: number;
  readonly stdout: string;
  /** Both outputs, for a person. */
  readonly log: string;
}

/** Runs a program to its end, in an environment that knows nothing of the developer's AWS account. */
function run(command: string, args: readonly string[], cwd: string, timeoutMs: number): Promise<Ended> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(AWS|DURABLE)_|^NODE_OPTIONS$/.test(name)));
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      const ended = error?.killed ? `\n${command} was killed after ${timeoutMs} ms` : '';
      resolve({ code, stdout, log: `${stdout}\n${stderr}${ended}` });
    });
  });
}

async function succeed(command: string, args: readonly string[], cwd: string, timeoutMs: number): Promise<void> {
  const { code, log } = await run(command, args, cwd, timeoutMs);
  expect(code, `${command} ${args.join(' ')}\n${log}`).toBe(0);
}

async function install(): Promise<void> {
  const files = await Promise.all(['package.json', 'package-lock.json', '.npmrc'].map((file) => readFile(`${APP}/${file}`)));
  const lock = createHash('sha256').update(Buffer.concat(files)).digest('hex');
  if (!existsSync(STAMP) || (await readFile(STAMP, 'utf8')) !== lock) {
    await succeed('npm', ['ci'], APP, 4 * MINUTE_MS);
    await writeFile(STAMP, lock);
  }
  await expectSameDependencies();
  // npm copied what was built at that time.
  await rm(`${PACKAGE}/dist`, { recursive: true, force: true });
  await cp(at('dist'), `${PACKAGE}/dist`, { recursive: true });
  await cp(at('package.json'), `${PACKAGE}/package.json`);
}

/**
 * The app's lock knows the package's dependencies as they were: a new one would be missing in the app, and only there.
 */
async function expectSameDependencies(): Promise<void> {
  const lock: unknown = JSON.parse(await readFile(`${APP}/package-lock.json`, 'utf8'));
  const own: { dependencies: object; peerDependencies: object } = JSON.parse(await readFile(at('package.json'), 'utf8'));
  const { dependencies, peerDependencies } = own;
  const hint = 'a dependency changed; in test/nest-app: rm -rf node_modules package-lock.json && npm install';
  expect(lock, hint).toMatchObject({ packages: { 'node_modules/durable-sqs-lambda': { dependencies, peerDependencies } } });
}

/** The module that a page shows. It imports decorators and Nest, which only this app has: here it is compiled. */
async function snippetOf(path: string): Promise<string> {
  const page = await readFile(at(path), 'utf8');
  const [, snippet = ''] = /^```typescript\n(.*?)^```$/ms.exec(page) ?? [];
  expect(snippet).toContain('DurableModule.forRoot');
  return snippet;
}

beforeAll(async () => {
  if (!existsSync(at('dist/cjs/index.cjs'))) await succeed('npx', ['--no-install', 'tsdown'], ROOT, 2 * MINUTE_MS);
  await install();
  await writeFile(`${APP}/src/readme-snippet.ts`, await snippetOf('README.md'));
  await writeFile(`${APP}/src/serverless-snippet.ts`, await snippetOf('docs/guide/serverless-nestjs.md'));
  // Checks our declarations too, as a CommonJS consumer sees them.
  await succeed('npm', ['run', '--silent', 'build'], APP, MINUTE_MS);
}, 8 * MINUTE_MS);

it(
  'runs its workflows on Lambda, finds the results that wait while it boots, and loses nothing when it is deployed',
  async () => {
    const { code, stdout, log } = await run(process.execPath, ['dist/main.js'], APP, 4 * MINUTE_MS);

    expect(code, log).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      checkouts: { outcomes: { paid: 45, declined: 5 } },
      boot: { outcomes: { paid: 11 }, tasksWaiting: 10, resultsWaiting: 10, tookMs: expect.any(Number) },
      deploys: { outcomes: { paid: 60 } },
      lambda: { outcomes: { paid: 19, declined: 2 } },
      polling: expect.stringContaining('drive: false'),
      leftInQueues: 0,
      build: 'durable-sqs-lambda/dist/cjs/index.cjs',
      engines: 1,
    });
  },
  5 * MINUTE_MS,
);

it(
  'bundles as its page says, into a function that Lambda can load',
  async () => {
    const page = await readFile(at('docs/guide/serverless-nestjs.md'), 'utf8');
    const [, externals = ''] = /^ {4}external:\n((?: {6}- .*\n)+)/m.exec(page) ?? [];
    const external = [...externals.matchAll(/- '?([^'\n]+)/g)].map(([, name = '']) => name);
    expect(external).toContain('bullmq');
    const entry = /^\/\/ engine\.mjs\n(.*)$/m.exec(page)?.[1] ?? '';
    const outfile = `${APP}/dist/bundle.mjs`;
    await build({
      stdin: { contents: entry.replace('/engine.js', '/serverless-snippet.js'), resolveDir: APP, sourcefile: 'engine.mjs' },
      outfile,
      bundle: true,
      minify: true,
      platform: 'node',
      format: 'esm',
      mainFields: ['module', 'main'],
      external: [...external, '@aws-sdk/*'],
      banner: { js: "import { createRequire } from 'node:module';const require = createRequire(import.meta.url);" },
    });
    const load = `import(${JSON.stringify(outfile)}).then(({ handler }) => console.log(typeof handler))`;
    // In a folder without node_modules, as in a function's package.
    const { code, stdout, log } = await run(process.execPath, ['-e', load], tmpdir(), MINUTE_MS);
    expect(code, log).toBe(0);
    expect(stdout.trim()).toBe('function');
  },
  2 * MINUTE_MS,
);
