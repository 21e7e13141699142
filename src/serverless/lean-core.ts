import { readFile } from 'node:fs/promises';

const CORE = /[\\/]@dudousxd[\\/]nestjs-durable-core[\\/]dist[\\/]index\.js$/;

/**
 * What this needs of esbuild's own `Plugin`, written out: a declaration that holds a copy of esbuild's would fit that one release of it.
 * @see https://esbuild.github.io/plugins/
 */
export interface LeanCorePlugin {
  readonly name: string;
  setup(build: LeanCoreBuild): void;
}

interface LeanCoreBuild {
  onLoad(options: { filter: RegExp }, load: (file: { path: string }) => Promise<{ contents: string; loader: 'js' }>): void;
}

/**
 * esbuild plugin: lets the bundler leave out what a worker does not use of `@dudousxd/nestjs-durable-core` (nine tenths of it).
 *
 * The core package's build keeps the names of functions and classes by calls that a bundler must take for side effects, so each one
 * holds on to what it names. This marks them as free of side effects: what is unused goes, and what is used works as before. It also
 * leaves the names away, which a minifier changes anyway: the core package gives a dozen to closures of every step.
 * `durable-sqs-lambda/serverless-plugin` adds it by itself where `custom.esbuild` names no plugins.
 * @see https://esbuild.github.io/api/#tree-shaking
 */
export function leanCore(): LeanCorePlugin {
  return {
    name: 'durable-lean-core',
    setup(build) {
      build.onLoad({ filter: CORE }, async ({ path }) => ({ contents: withoutSideEffects(await readFile(path, 'utf8')), loader: 'js' }));
    },
  };
}

/**
 * Marks every call of esbuild's own name keeper, and makes the keeper itself do nothing. Gives the module's `require` a file name where the
 * bundle is CommonJS (the default of serverless-esbuild): `import.meta` is empty there, and the function would die while it is loaded.
 */
export function withoutSideEffects(code: string): string {
  return code
    .replaceAll('__name(', '/* @__PURE__ */ __name(')
    .replace(/^var __name = .*$/m, 'var __name = (target) => target;')
    .replace('= createRequire(import.meta.url);', '= /* @__PURE__ */ createRequire(import.meta.url ?? __filename);');
}
