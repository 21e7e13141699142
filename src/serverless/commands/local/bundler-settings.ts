import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { BuildOptions, Plugin } from 'esbuild';
import { isRecord } from '../../../wire/shape.ts';

/** Settings that change what a handler does. esbuild itself checks their values. */
const USED = [
  'alias',
  'conditions',
  'define',
  'drop',
  'dropLabels',
  'external',
  'inject',
  'jsx',
  'jsxDev',
  'jsxFactory',
  'jsxFragment',
  'jsxImportSource',
  'keepNames',
  'loader',
  'mainFields',
  'nodePaths',
  'packages',
  'preserveSymlinks',
  'pure',
  'resolveExtensions',
  'supported',
  'target',
  'tsconfig',
  'tsconfigRaw',
] as const satisfies readonly (keyof BuildOptions)[];

/**
 * Settings about packaging, watching and the form of the bundle, which change nothing for a handler on this machine.
 */
const PACKAGING_ONLY: ReadonlySet<string> = new Set([
  'absWorkingDir',
  'bundle',
  'charset',
  'concurrency',
  'disposeContext',
  'format',
  'installExtraArgs',
  'keepOutputDirectory',
  'legalComments',
  'lineLimit',
  'logLevel',
  'logLimit',
  'logOverride',
  'metafile',
  'minify',
  'minifyIdentifiers',
  'minifySyntax',
  'minifyWhitespace',
  'nativeZip',
  'outputBuildFolder',
  'outputFileExtension',
  'outputWorkFolder',
  'packagePath',
  'packager',
  'packagerOptions',
  'platform',
  'skipBuild',
  'skipBuildExcludeFns',
  'skipRebuild',
  'sourceRoot',
  'sourcemap',
  'sourcesContent',
  'splitting',
  'stripEntryResolveExtensions',
  'treeShaking',
  'watch',
  'zipConcurrency',
]);

export interface BundlerSettings {
  readonly build: BuildOptions;
  /** Packages that are no part of a deployed bundle. */
  readonly exclude: readonly string[];
  /** Settings that may matter and are not used here, each with the reason. */
  readonly ignored: readonly string[];
}

/** Reads the part of `custom.esbuild` that `sls durable local` uses. */
export function bundlerSettings(given: unknown, serviceDir: string): BundlerSettings {
  const settings = isRecord(given) ? given : {};
  const ignored: string[] = [];
  const build: Record<string, unknown> = {};
  let exclude: readonly string[] = [];
  for (const [key, value] of Object.entries(settings)) {
    if (isUsed(key)) build[key] = value;
    else if (key === 'exclude') exclude = Array.isArray(value) ? value.filter(isPackageName) : [];
    else if (key === 'plugins') {
      const plugins = readPlugins(value, serviceDir);
      if (typeof plugins === 'string') ignored.push(`custom.esbuild.plugins: ${plugins}`);
      else build['plugins'] = plugins;
    } else if (key === 'config')
      ignored.push('custom.esbuild.config: the settings of its file are not used here; give them in serverless.yml');
    else if (!PACKAGING_ONLY.has(key)) ignored.push(`custom.esbuild.${key}: not used here`);
  }
  return { build, exclude, ignored };
}

/** `*` alone means everything: what the deploy tool then installs beside the bundle is installed here. */
function isPackageName(value: unknown): value is string {
  return typeof value === 'string' && value !== '*';
}

function isUsed(key: string): boolean {
  return USED.some((name) => name === key);
}

/**
 * The plugins, or why they are not used. A file that exports a function expects the deploy tool as argument, which it
 * does not get here.
 */
function readPlugins(given: unknown, serviceDir: string): readonly Plugin[] | string {
  if (isPluginList(given)) return given;
  if (typeof given !== 'string') return 'expected a list of esbuild plugins or the path of a file that exports one';
  let loaded: unknown;
  try {
    loaded = createRequire(join(serviceDir, 'package.json'))(join(serviceDir, given));
  } catch (error) {
    return `${given} cannot be loaded (${error instanceof Error ? error.message : 'unknown'})`;
  }
  const plugins = isRecord(loaded) ? loaded['default'] : loaded;
  return isPluginList(plugins)
    ? plugins
    : `expected ${given} to export a list of plugins; a function of the deploy tool is not called here`;
}

function isPluginList(value: unknown): value is readonly Plugin[] {
  return Array.isArray(value) && value.every((plugin) => isRecord(plugin) && typeof plugin['setup'] === 'function');
}
