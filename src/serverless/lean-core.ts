import { readFile } from 'node:fs/promises';

const CORE = /[\\/]@dudousxd[\\/](?:nestjs-durable-core|durable-worker)[\\/]dist[\\/]index\.js$/;
/**
 * What the worker package imports where it serves Redis; a workflow on Lambda never does, and has neither installed.
 */
const REDIS_CLIENTS = /^(?:bullmq|ioredis)$/;

/** Optional peers, and the entry of this package that imports each. */
const PEERS: ReadonlyMap<string, string> = new Map([
  ['@dudousxd/durable-worker', 'durable-sqs-lambda/workflow'],
  ['@opentelemetry/api', 'durable-sqs-lambda/opentelemetry'],
]);
const PEER = /^@(?:dudousxd\/durable-worker|opentelemetry\/api)$/;
const ASKED = Symbol('asked');

/**
 * The part of esbuild's own `Plugin` that this needs, written out: a type from esbuild would fit only the release that
 * it came from.
 * @see https://esbuild.github.io/plugins/
 */
export interface LeanCorePlugin {
  readonly name: string;
  setup(build: LeanCoreBuild): void;
}

interface LeanCoreBuild {
  onLoad(options: { filter: RegExp }, load: (file: { path: string }) => Promise<{ contents: string; loader: 'js' }>): void;
  onResolve(options: { filter: RegExp }, resolve: (module: ResolvedModule) => Resolution | Promise<Resolution>): void;
  resolve(path: string, options: object): Promise<{ readonly errors: readonly unknown[] }>;
}

interface ResolvedModule {
  readonly path: string;
  readonly importer: string;
  readonly resolveDir: string;
  readonly kind: string;
  readonly pluginData: unknown;
}

/** Undefined leaves it to esbuild. */
type Resolution = { readonly external: true } | { readonly errors: { readonly text: string }[] } | undefined;

/**
 * esbuild plugin: lets the bundler leave out the nine tenths of `@dudousxd/nestjs-durable-core` and
 * `@dudousxd/durable-worker` that a worker does not use.
 *
 * The core package's build keeps the names of functions and classes by calls that a bundler takes for side effects, so
 * it keeps all that they name. This plugin marks the calls as free of side effects, and makes them do nothing: a
 * minifier changes the names anyway, and the core package names a dozen closures in every step. It also names an
 * optional peer that is not installed. `durable-sqs-lambda/serverless-plugin` adds it where `custom.esbuild` has no
 * plugins.
 * @see https://esbuild.github.io/api/#tree-shaking
 */
export function leanCore(): LeanCorePlugin {
  return {
    name: 'durable-lean-core',
    setup(build) {
      build.onResolve({ filter: REDIS_CLIENTS }, ({ importer }) => (CORE.test(importer) ? { external: true } : undefined));
      build.onResolve({ filter: PEER }, (module) => missingPeer(build, module));
      build.onLoad({ filter: CORE }, async ({ path }) => ({ contents: withoutSideEffects(await readFile(path, 'utf8')), loader: 'js' }));
    },
  };
}

/**
 * An optional peer that is not installed. esbuild would advise to leave it out of the bundle, which fails on Lambda.
 */
async function missingPeer(build: LeanCoreBuild, { path, pluginData, ...where }: ResolvedModule): Promise<Resolution> {
  if (pluginData === ASKED) return undefined;
  const { errors } = await build.resolve(path, { ...where, pluginData: ASKED });
  if (errors.length === 0) return undefined;
  return { errors: [{ text: `${PEERS.get(path)} needs the package "${path}", which is not installed: npm install ${path}` }] };
}

/**
 * Marks every call of esbuild's `__name` as pure, and makes `__name` itself do nothing. Marks classes and constants
 * that a bundler would keep for their computed fields and their calls. The same for the module's `createRequire`, which
 * also gets a file name in a CommonJS bundle (the default of serverless-esbuild), where `import.meta` is empty and the
 * function would fail to load.
 */
export function withoutSideEffects(code: string): string {
  return code
    .replaceAll('__name(', '/* @__PURE__ */ __name(')
    .replace(/^var __name = .*$/m, 'var __name = (target) => target;')
    .replace(/^(var \w+ = )(class(?: extends \w+)? \{\n.*?^\});$/gms, '$1/* @__PURE__ */ (() => $2)();')
    .replaceAll('= Object.freeze(', '= /* @__PURE__ */ Object.freeze(')
    .replace('= createRequire(import.meta.url);', '= /* @__PURE__ */ (() => createRequire(import.meta.url ?? __filename))();');
}
