import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as esbuild from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import type { SqsLambdaHandler } from '../../../../../src/local/mapping-options.ts';
import { watchHandler } from '../../../../../src/serverless/commands/local/bundler.ts';

const serviceDir = mkdtempSync(join(tmpdir(), 'bundler-'));
afterAll(() => rmSync(serviceDir, { recursive: true, force: true }));

/** What the handler of one source file returns, or the problem with it. */
async function built(name: string, code: string, loadMs?: number): Promise<unknown> {
  mkdirSync(join(serviceDir, 'handlers'), { recursive: true });
  writeFileSync(join(serviceDir, `handlers/${name}`), code);
  let seen: SqsLambdaHandler | string = 'nothing';
  const watch = await watchHandler({
    esbuild,
    serviceDir,
    functionKey: 'pay',
    handler: `handlers/${name.replace(/\.\w+$/, '')}.handler`,
    outDir: join(serviceDir, '.out', name),
    build: {},
    ...(loadMs === undefined ? {} : { loadMs }),
    around: (load) => load(),
    onHandler: (handler) => {
      seen = handler;
    },
    onProblem: (problem) => {
      seen = problem;
    },
  });
  await watch.stop();
  return typeof seen === 'string' ? seen : Reflect.apply(seen, undefined, []);
}

describe('watchHandler', () => {
  it('loads a CommonJS handler, with its own __filename and __dirname', async () => {
    const code = "const { EOL } = require('node:os');\nexports.handler = async () => [__filename, __dirname, EOL];\n";
    expect(await built('common.cjs', code)).toEqual([join(serviceDir, 'handlers/common.cjs'), join(serviceDir, 'handlers'), '\n']);
  });

  it('loads an ES module that declares its own __dirname and require', async () => {
    const code =
      "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);\n" +
      "const __dirname = 'mine';\nexport const handler = async () => [__dirname, require('node:os').EOL];\n";
    expect(await built('own.ts', code)).toEqual(['mine', '\n']);
  });

  it('reports a handler whose load never ends', async () => {
    const code = 'await new Promise(() => {});\nexport const handler = async () => 1;\n';
    expect(await built('endless.ts', code, 100)).toContain('functions.pay.handler: expected it to load within 100 ms');
  });
});
