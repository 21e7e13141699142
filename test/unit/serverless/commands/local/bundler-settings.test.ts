import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bundlerSettings } from '../../../../../src/serverless/commands/local/bundler-settings.ts';

const dir = mkdtempSync(join(tmpdir(), 'bundler-settings-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const file = (name: string, text: string) => {
  writeFileSync(join(dir, name), text);
  return name;
};

describe('bundlerSettings', () => {
  it('keeps settings that change what a handler does', () => {
    const given = {
      define: { A: '1' },
      external: ['pg'],
      loader: { '.txt': 'text' },
      target: 'node24',
      alias: { a: 'b' },
      keepNames: true,
    };
    expect(bundlerSettings(given, dir)).toEqual({ build: given, exclude: [], ignored: [] });
  });

  it('leaves out settings about packaging without a word', () => {
    const packing = {
      bundle: true,
      minify: true,
      sourcemap: true,
      format: 'cjs',
      outputFileExtension: '.cjs',
      packager: 'pnpm',
    };
    expect(bundlerSettings(packing, dir)).toEqual({ build: {}, exclude: [], ignored: [] });
    for (const none of [undefined, null, 'text', []]) expect(bundlerSettings(none, dir)).toEqual({ build: {}, exclude: [], ignored: [] });
  });

  it.each([
    [
      ['pg', '@nestjs/*'],
      ['pg', '@nestjs/*'],
    ],
    ['*', []],
    [['*'], []],
  ])('reads exclude: %j', (exclude, expected) => {
    expect(bundlerSettings({ exclude }, dir)).toEqual({ build: {}, exclude: expected, ignored: [] });
  });

  it('names settings that may matter and are not used', () => {
    expect(bundlerSettings({ footer: { js: '' }, config: 'esbuild.cjs' }, dir).ignored).toEqual([
      'custom.esbuild.footer: not used here',
      'custom.esbuild.config: the settings of its file are not used here; give them in serverless.yml',
    ]);
  });

  it('takes plugins as a list, or as a CommonJS or ES module that exports one', () => {
    const [plugin] = [{ name: 'p', setup() {} }];
    expect(bundlerSettings({ plugins: [plugin] }, dir).build.plugins).toEqual([plugin]);
    const commonJs = file('plugins.cjs', "module.exports = [{ name: 'c', setup() {} }];");
    const module = file('plugins.mjs', "export default [{ name: 'm', setup() {} }];");
    expect(bundlerSettings({ plugins: commonJs }, dir).build.plugins).toMatchObject([{ name: 'c' }]);
    expect(bundlerSettings({ plugins: module }, dir).build.plugins).toMatchObject([{ name: 'm' }]);
  });

  it.each([
    [
      file('function.cjs', 'module.exports = () => [];'),
      'expected function.cjs to export a list of plugins; a function of the deploy tool is not called here',
    ],
    ['nowhere.cjs', /^nowhere\.cjs cannot be loaded \(Cannot find module/],
    [[{ name: 'no setup' }], 'expected a list of esbuild plugins or the path of a file that exports one'],
  ])('says why the plugins %j are not used', (plugins, why) => {
    const { build, ignored } = bundlerSettings({ plugins }, dir);
    expect(build).toEqual({});
    expect(ignored).toHaveLength(1);
    const said = ignored[0]?.replace('custom.esbuild.plugins: ', '');
    if (typeof why === 'string') expect(said).toBe(why);
    else expect(said).toMatch(why);
  });
});
