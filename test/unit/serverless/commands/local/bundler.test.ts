import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import type { HandlerCode } from '../../../../../src/local/process/function-process.ts';
import { watchHandler } from '../../../../../src/serverless/commands/local/bundler.ts';
import { installedSdk } from '../../../../../src/serverless/commands/local/left-out.ts';

const serviceDir = mkdtempSync(join(tmpdir(), 'bundler-'));
afterAll(() => rmSync(serviceDir, { recursive: true, force: true }));

const source = (name: string) => join(serviceDir, 'handlers', name);

/** Watches one source file; knows what it was told, and answers that every build loads but those of `refused`. */
async function watching(name: string, code: string, refused: readonly number[] = [], exclude: readonly string[] = []) {
  mkdirSync(join(serviceDir, 'handlers'), { recursive: true });
  writeFileSync(source(name), code);
  const outDir = join(serviceDir, '.out', name);
  const built: HandlerCode[] = [];
  const problems: string[] = [];
  const watch = await watchHandler({
    esbuild,
    serviceDir,
    functionKey: 'pay',
    handler: `handlers/${name.replace(/\.\w+$/, '')}.handler`,
    outDir,
    build: {},
    exclude,
    onBuilt: async (code) => {
      built.push(code);
      mkdirSync(outDir, { recursive: true });
      writeFileSync(code.file, code.text ?? '');
      return !refused.includes(built.length);
    },
    onProblem: (problem) => problems.push(problem),
  });
  return { built, problems, outDir, stop: watch.stop };
}

/** What the handler of one source file returns. */
async function returned(name: string, code: string): Promise<unknown> {
  const { built, stop } = await watching(name, code);
  const [first] = built;
  const { handler }: { handler?: () => unknown } = await import(pathToFileURL(first?.file ?? '').href).then(
    (module) => module.default ?? module,
  );
  await stop();
  return handler?.();
}

describe('watchHandler', () => {
  it('leaves open what is excluded and not installed, and bundles what is installed', async () => {
    const installed = join(serviceDir, 'node_modules/installed');
    mkdirSync(installed, { recursive: true });
    writeFileSync(join(installed, 'index.js'), "module.exports = 'bundled text';");
    const code =
      "exports.handler = async () => require('installed');\n" +
      "exports.other = () => [require('absent'), require('@absent/one/deep'), import('@aws-sdk/client-absent')];\n";
    const { built, problems, stop } = await watching('excluded.cjs', code, [], ['installed', 'absent', '@absent/*', '@aws-sdk/*']);
    await stop();
    expect(problems).toEqual([]);
    expect(built[0]?.text).toContain('bundled text');
    for (const open of ['require("absent")', 'require("@absent/one/deep")', 'import("@aws-sdk/client-absent")']) {
      expect(built[0]?.text).toContain(open);
    }
  });

  it('fails on a package that is not installed and not excluded, be its name like an excluded one', async () => {
    const { built, problems, stop } = await watching('missing.cjs', "require('absent-too');", [], ['absent']);
    await stop();
    expect([built.length, problems.join()]).toEqual([0, expect.stringContaining('Could not resolve "absent-too"')]);
  });

  it('builds a CommonJS handler with its own __filename and __dirname', async () => {
    const code = "const { EOL } = require('node:os');\nexports.handler = async () => [__filename, __dirname, EOL];\n";
    expect(await returned('common.cjs', code)).toEqual([source('common.cjs'), join(serviceDir, 'handlers'), '\n']);
  });

  it('builds an ES module that declares its own __dirname and require', async () => {
    const code =
      "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\n" +
      "const __dirname = 'mine';\nexport const handler = async () => [__dirname, require('node:os').EOL];\n";
    expect(await returned('own.ts', code)).toEqual(['mine', '\n']);
  });

  it('builds a workflow, whose imports name Redis clients that nobody has installed', async () => {
    const worker = fileURLToPath(import.meta.resolve('@dudousxd/durable-worker'));
    const code = `import { WorkflowWorker } from ${JSON.stringify(worker)};\nexport const handler = () => new WorkflowWorker('').group;\n`;
    expect(await returned('workflow.ts', code)).toBe('');
  });

  it('builds again after an edit, and keeps the file of the last build that loads', async () => {
    const { built, problems, outDir, stop } = await watching('edited.ts', 'export const handler = () => 1;', [2]);
    try {
      expect(readdirSync(outDir)).toEqual(['pay-1.mjs']);
      writeFileSync(source('edited.ts'), 'export const handler = () => 2;');
      await expect.poll(() => built.length, { timeout: 5_000 }).toBe(2);
      await expect.poll(() => readdirSync(outDir)).toEqual(['pay-1.mjs']);
      writeFileSync(source('edited.ts'), 'export const handler = () => 3;');
      await expect.poll(() => built.length, { timeout: 5_000 }).toBe(3);
      await expect.poll(() => readdirSync(outDir)).toEqual(['pay-3.mjs']);
      expect(built[2]?.text).toContain('() => 3');
      expect(problems).toEqual([]);
    } finally {
      await stop();
    }
  });

  it('leaves the AWS SDK out where the service has it, and bundles it where not', async () => {
    const root = fileURLToPath(new URL('../../../../../', import.meta.url));
    const bundle = async (dir: string) => {
      const code = "import { SQSClient } from '@aws-sdk/client-sqs'; export const handler = () => SQSClient;";
      const stdin = { contents: code, resolveDir: root, loader: 'ts' } as const;
      const plugins = [installedSdk(dir)];
      const { outputFiles } = await esbuild.build({ stdin, bundle: true, write: false, platform: 'node', format: 'esm', plugins });
      return outputFiles[0]?.text ?? '';
    };
    expect(await bundle(root)).toContain('from "@aws-sdk/client-sqs"');
    expect(await bundle(tmpdir())).not.toContain('from "@aws-sdk/client-sqs"');
  });

  it('reports a build that fails, with its place', async () => {
    const { built, problems, outDir, stop } = await watching('broken.ts', 'export const handler = ;\n');
    await stop();
    expect(built).toEqual([]);
    expect(problems).toEqual([expect.stringContaining('handlers/broken.ts:1:23')]);
    expect(existsSync(outDir)).toBe(false);
  });
});
