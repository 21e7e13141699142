import { createRequire } from 'node:module';
import { join } from 'node:path';
import { isRecord } from '../../wire/shape.ts';
import { leanCore } from '../lean-core.ts';

/**
 * Gives an ES module a `require`: bundled CommonJS packages call it for Node's own modules, and esbuild's stand-in
 * throws `Dynamic require of "events" is not supported`.
 * @see https://github.com/evanw/esbuild/issues/1921
 */
export const REQUIRE_BANNER =
  "import { createRequire as __durableRequire } from 'node:module'; const require = __durableRequire(import.meta.url);";

/** What CommonJS packages also expect. By `define`, so that a module which declares them itself keeps its own. */
const COMMONJS_NAMES = { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' };

/** A banner that has made a `require` already: a second one would be a syntax error. */
const MAKES_REQUIRE = /\b(?:const|let|var)\s+require\b/;

/**
 * `custom.esbuild` as serverless-esbuild reads it: what a `config` file gives takes the place of all else.
 * @param tool the deploy tool, for the function that the file exports
 */
export function esbuildSettings(given: unknown, serviceDir: string, tool: unknown): Record<string, unknown> {
  const settings = isRecord(given) ? given : {};
  const file = settings['config'];
  if (typeof file !== 'string') return settings;
  const exported: unknown = createRequire(join(serviceDir, 'package.json'))(join(serviceDir, file));
  const make = isRecord(exported) ? exported['default'] : exported;
  const made: unknown = typeof make === 'function' ? make(tool) : undefined;
  // Left to serverless-esbuild, which fails on it.
  return isRecord(made) ? made : settings;
}

/** What builds a function, deployed or local, where the user names no plugins: a workflow's imports need it. */
export const defaultPlugins = () => [leanCore()];

/**
 * Settings with what the user has left open. Without `skipRebuild` serverless-esbuild keeps its builders alive for
 * rebuilds that the commands never do, and the command hangs for ever after a build or load error.
 */
export function completedSettings(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { skipRebuild: true, plugins: defaultPlugins(), ...settings, ...(isEsm(settings) ? esmSettings(settings) : {}) };
}

function esmSettings({ banner, define }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const banners = isRecord(banner) ? banner : {};
  const js = typeof banners['js'] === 'string' ? banners['js'] : '';
  return {
    banner: { ...banners, js: MAKES_REQUIRE.test(js) ? js : [REQUIRE_BANNER, js].filter((text) => text !== '').join('\n') },
    define: { ...COMMONJS_NAMES, ...(isRecord(define) ? define : {}) },
  };
}

/** By serverless-esbuild's own rule. */
function isEsm({ format, platform }: Readonly<Record<string, unknown>>): boolean {
  return format === 'esm' || (platform === 'neutral' && format === undefined);
}
