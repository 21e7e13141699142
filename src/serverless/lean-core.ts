import { readFile } from 'node:fs/promises';

const CORE = /[\\/]@dudousxd[\\/](?:nestjs-durable-core|durable-worker)[\\/]dist[\\/]index\.js$/;
/** What the worker package imports where it serves Redis; a workflow on Lambda never does, and has neither installed. */
const REDIS_CLIENTS = /^(?:bullmq|ioredis)$/;

/**
 * The part of esbuild's own `Plugin` that this needs, written out: a type from esbuild would fit only the release that it came from.
 * @see https://esbuild.github.io/plugins/
 */
export interface LeanCorePlugin {
  readonly name: string;
  setup(build: LeanCoreBuild): void;
}

interface LeanCoreBuild {
  onLoad(options: { filter: RegExp }, load: (file: { path: string }) => Promise<{ contents: string; loader: 'js' }>): void;
  onResolve(options: { filter: RegExp }, resolve: (module: { path: string; importer: string }) => { external: true } | undefined): void;
}

/**
 * esbuild plugin: lets the bundler leave out the nine tenths of `@dudousxd/nestjs-durable-core` and
 * `@dudousxd/durable-worker` that a worker does not use.
 *
 * The core package's build keeps the names of functions and classes by calls that a bundler takes for side effects, so it keeps all that
 * they name. This plugin marks the calls as free of side effects, and makes them do nothing: a minifier changes the names anyway, and the
 * core package names a dozen closures in every step. `durable-sqs-lambda/serverless-plugin` adds it where `custom.esbuild` has no plugins.
 * @see https://esbuild.github.io/api/#tree-shaking
 */
export function leanCore(): LeanCorePlugin {
  return {
    name: 'durable-lean-core',
    setup(build) {
      build.onResolve({ filter: REDIS_CLIENTS }, ({ importer }) => (CORE.test(importer) ? { external: true } : undefined));
      build.onLoad({ filter: CORE }, async ({ path }) => ({ contents: withoutSideEffects(await readFile(path, 'utf8')), loader: 'js' }));
    },
  };
}

/**
 * Marks every call of esbuild's `__name` as pure, and makes `__name` itself do nothing. Marks classes and constants that a bundler would
 * keep for their computed fields and their calls. The same for the module's `createRequire`, which also gets a file name in a CommonJS
 * bundle (the default of serverless-esbuild), where `import.meta` is empty and the function would fail to load.
 */
export function withoutSideEffects(code: string): string {
  return code
    .replaceAll('__name(', '/* @__PURE__ */ __name(')
    .replace(/^var __name = .*$/m, 'var __name = (target) => target;')
    .replace(/^(var \w+ = )(class(?: extends \w+)? \{\n.*?^\});$/gms, '$1/* @__PURE__ */ (() => $2)();')
    .replaceAll('= Object.freeze(', '= /* @__PURE__ */ Object.freeze(')
    .replace('= createRequire(import.meta.url);', '= /* @__PURE__ */ (() => createRequire(import.meta.url ?? __filename))();');
}
