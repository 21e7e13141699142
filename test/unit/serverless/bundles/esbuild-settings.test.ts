import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { completedSettings, esbuildSettings, REQUIRE_BANNER } from '../../../../src/serverless/bundles/esbuild-settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'esbuild-settings-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bannerOf = (settings: Record<string, unknown>) => Object(completedSettings(settings)['banner']);

describe('completedSettings', () => {
  it('gives an ES module a require, once', () => {
    const once = completedSettings({ format: 'esm' });
    expect(once['banner']).toEqual({ js: REQUIRE_BANNER });
    expect(completedSettings(once)['banner']).toEqual({ js: REQUIRE_BANNER });
    expect(bannerOf({ platform: 'neutral' }).js).toBe(REQUIRE_BANNER);
  });

  it("puts the require in front of the user's own banner", () => {
    expect(bannerOf({ format: 'esm', banner: { js: '// ours', css: '/* c */' } })).toEqual({
      js: `${REQUIRE_BANNER}\n// ours`,
      css: '/* c */',
    });
  });

  it('keeps a banner that makes a require itself', () => {
    const js = "import { createRequire } from 'module'; const require = createRequire(import.meta.url);";
    expect(bannerOf({ format: 'esm', banner: { js } })).toEqual({ js });
  });

  it('keeps what the user defines', () => {
    expect(completedSettings({ format: 'esm', define: { __dirname: '"mine"', A: '1' } })['define']).toEqual({
      __dirname: '"mine"',
      __filename: 'import.meta.filename',
      A: '1',
    });
  });

  it.each([{}, { format: 'cjs' }, { format: 'cjs', platform: 'neutral' }])('gives no banner to %j', (settings) => {
    expect(completedSettings(settings)).not.toHaveProperty('banner');
    expect(completedSettings(settings)).not.toHaveProperty('define');
  });

  it('makes bundles of CommonJS packages load, beside a module with a require and a __dirname of its own', async () => {
    writeFileSync(
      join(folder, 'common.cjs'),
      "const { EventEmitter } = require('events'); module.exports = [typeof EventEmitter, typeof __dirname, typeof __filename];",
    );
    writeFileSync(
      join(folder, 'own.mjs'),
      "import { createRequire } from 'node:module';\nimport common from './common.cjs';\nconst require = createRequire(import.meta.url);\nconst __dirname = 'mine';\n" +
        "export const seen = [...common, __dirname, typeof require('node:os').EOL];\n",
    );
    const { skipRebuild: _, ...settings } = completedSettings({ format: 'esm', plugins: [] });
    const outfile = join(folder, 'bundle.mjs');
    await build({ ...settings, entryPoints: [join(folder, 'own.mjs')], bundle: true, platform: 'node', outfile, logLevel: 'silent' });
    const { seen } = await import(outfile);
    expect(seen).toEqual(['function', 'string', 'string', 'mine', 'string']);
  });
});

describe('esbuildSettings', () => {
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return name;
  };

  it('gives what a config file makes, in place of all else', () => {
    const config = file('config.cjs', "module.exports = (tool) => ({ format: 'esm', target: tool.target });");
    expect(esbuildSettings({ config, minify: true }, folder, { target: 'node24' })).toEqual({ format: 'esm', target: 'node24' });
    const module = file('config.mjs', "export default () => ({ format: 'cjs' });");
    expect(esbuildSettings({ config: module }, folder, undefined)).toEqual({ format: 'cjs' });
  });

  it('leaves a file that exports no function to the bundler', () => {
    const config = file('list.cjs', 'module.exports = [];');
    expect(esbuildSettings({ config, minify: true }, folder, undefined)).toEqual({ config, minify: true });
  });

  it.each([undefined, null, 'text', []])('gives no settings for %j', (given) => {
    expect(esbuildSettings(given, folder, undefined)).toEqual({});
  });
});
