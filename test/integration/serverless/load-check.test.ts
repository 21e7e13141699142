import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadProblems, type PackagedFunction } from '../../../src/serverless/bundles/load-check.ts';
import { writeZip } from '../../support/zip-archive.ts';

const serviceDir = mkdtempSync(join(tmpdir(), 'load-check-'));
beforeAll(() => {
  mkdirSync(join(serviceDir, 'node_modules/@aws-sdk/client-x'), { recursive: true });
  writeFileSync(join(serviceDir, 'node_modules/@aws-sdk/client-x/package.json'), '{"main":"index.js"}');
  writeFileSync(join(serviceDir, 'node_modules/@aws-sdk/client-x/index.js'), 'exports.X = 7;');
  mkdirSync(join(serviceDir, 'node_modules/pg'), { recursive: true });
  writeFileSync(join(serviceDir, 'node_modules/pg/index.js'), 'exports.Pool = class {};');
});
afterAll(() => rmSync(serviceDir, { recursive: true, force: true }));

let archives = 0;
/** The problems with one function whose archive holds these files. */
function problems(files: Readonly<Record<string, string>>, given: Partial<PackagedFunction> = {}): Promise<string[]> {
  archives += 1;
  const artifact = join(serviceDir, `${archives}.zip`);
  writeZip(artifact, files);
  const environment = { PATH: process.env['PATH'] ?? '', ...given.environment };
  const fn = { functionKey: 'pay', handler: 'handlers/pay.handler', runtime: 'nodejs24.x', memorySizeMb: 128, hasLayers: false, artifact };
  return loadProblems([{ ...fn, ...given, environment }], serviceDir);
}
const mjs = (text: string) => ({ 'handlers/pay.mjs': text });
const OFF = 'custom.durable.loadCheck: false turns this check off';

describe('loadProblems', () => {
  it.each([
    ['an ES module', mjs('export const handler = async () => 1;')],
    ['a CommonJS file', { 'handlers/pay.js': "require('node:events'); exports.handler = async () => 1;" }],
    ['a CommonJS file under its own ending', { 'handlers/pay.cjs': 'exports.handler = async () => 1;' }],
    ['an import of the AWS SDK, which Lambda holds', mjs("import { X } from '@aws-sdk/client-x'; export const handler = async () => X;")],
    [
      'an import of a client of the AWS SDK that is not installed here',
      mjs("import '@aws-sdk/client-y'; export const handler = async () => 1;"),
    ],
    ['a package in the archive', { ...mjs("import 'pg'; export const handler = async () => 1;"), 'node_modules/pg/index.js': '' }],
    ['code that prints', mjs("console.log('x'); console.error('y'); export const handler = async () => 1;")],
  ])('finds nothing wrong with %s', async (_what, files) => {
    expect(await problems(files)).toEqual([]);
  });

  it.each([
    [
      'a CommonJS package in an ES module',
      mjs('throw Error(\'Dynamic require of "events" is not supported\');'),
      [
        'Error: Dynamic require of "events" is not supported',
        'at handlers/pay.mjs:1:7',
        'fix: a CommonJS package in an ES module: let custom.esbuild.banner',
      ],
    ],
    [
      'a require that Lambda does not have',
      mjs("require('node:fs'); export const handler = () => 1;"),
      ['require is not defined', 'fix: a CommonJS package'],
    ],
    [
      'a package that only this machine has',
      mjs("import 'pg'; export const handler = () => 1;"),
      ["Cannot find package 'pg'", 'fix: "pg" is neither in the bundle nor in the archive'],
    ],
    [
      'a native add-on',
      mjs("throw new Error('No native build was found for platform=linux arch=arm64');"),
      ['fix: a native add-on cannot be bundled: name its package in custom.esbuild.external'],
    ],
    [
      'a file that is not beside it',
      mjs("import { readFileSync } from 'node:fs'; readFileSync(import.meta.dirname + '/schema.prisma');"),
      ["ENOENT: no such file or directory, open 'handlers/schema.prisma'", 'schema.prisma is not in the archive'],
    ],
    ['a module that throws', mjs("throw new TypeError('no table');"), ['TypeError: no table', `fix: ${OFF}`]],
    ['another export', mjs('export const other = () => 1;'), ['expected an export "handler"', 'compare the name with serverless.yml']],
    [
      'module.exports in an ES module',
      mjs('export default { handler: () => 1 };'),
      ['a handler written with module.exports needs format: cjs'],
    ],
    [
      'a rejection that nobody awaits',
      mjs("Promise.reject(new Error('stray')); await new Promise((r) => setTimeout(r, 5000));"),
      ['Error: stray'],
    ],
    [
      'another file',
      { 'handlers/refund.mjs': '' },
      ['its archive has no handlers/pay{.js,.mjs,.cjs}, where Lambda looks for "handlers/pay.handler"'],
    ],
  ])('names %s, with what to do', async (_what, files, texts) => {
    const [problem = '', ...others] = await problems(files);
    expect(others).toEqual([]);
    expect(problem).toContain('functions.pay');
    for (const text of texts) expect(problem).toContain(text);
    expect(problem).not.toContain(tmpdir());
  });

  it('refuses an ES module in a .js file on nodejs22.x, where Lambda takes it for CommonJS', async () => {
    const files = { 'handlers/pay.js': 'export const handler = async () => 1;' };
    const [problem] = await problems(files, { runtime: 'nodejs22.x' });
    expect(problem).toContain('fix: an ES module in a file that Lambda takes for CommonJS: set custom.esbuild.outputFileExtension: .mjs');
    const environment = { NODE_OPTIONS: '--experimental-detect-module --experimental-require-module' };
    expect(await problems(files, { runtime: 'nodejs22.x', environment })).toEqual([]);
  });

  it('gives a function its environment, and nothing of this process', async () => {
    process.env['AWS_ACCESS_KEY_ID'] = 'ours';
    try {
      const text =
        "if (process.env.TABLE !== 'orders') throw new Error('no table'); if (process.env.AWS_ACCESS_KEY_ID) throw new Error('leaked');";
      expect(await problems(mjs(`${text} export const handler = () => 1;`), { environment: { TABLE: 'orders' } })).toEqual([]);
    } finally {
      delete process.env['AWS_ACCESS_KEY_ID'];
    }
  });

  it('leaves packages to layers where the function has any', async () => {
    expect(await problems(mjs("import 'pg'; export const handler = () => 1;"), { hasLayers: true })).toEqual([]);
  });
});
