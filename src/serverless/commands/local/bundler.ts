import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BuildContext, BuildOptions, BuildResult } from 'esbuild';
import type { SqsLambdaHandler } from '../../../local/mapping-options.ts';
import { isRecord } from '../../../wire/shape.ts';
import { INIT_TIMEOUT_MS } from '../../lambda-limits.ts';
import { CommandError } from '../command-error.ts';

type Esbuild = typeof import('esbuild');

/** Extensions of the source file that a `handler` of serverless.yml names, in the order of the search. */
const EXTENSIONS = ['.ts', '.mts', '.cts', '.tsx', '.js', '.mjs', '.cjs'];

/** The service's own esbuild (a dependency of serverless-esbuild). @throws CommandError where it is not installed */
export function loadEsbuild(serviceDir: string): Esbuild {
  try {
    const esbuild: Esbuild = createRequire(join(serviceDir, 'package.json'))('esbuild');
    return esbuild;
  } catch (error) {
    throw new CommandError('sls durable local: it builds the handlers with the package "esbuild". Install it: npm i -D esbuild', {
      cause: error,
    });
  }
}

/** Source file and export that `handlers/charge-card.handler` names. @throws CommandError where there is no such file */
export function handlerFile(
  serviceDir: string,
  functionKey: string,
  handler: string,
): { readonly file: string; readonly exportName: string } {
  const dot = handler.lastIndexOf('.');
  const base = join(serviceDir, handler.slice(0, dot));
  const file = EXTENSIONS.map((extension) => `${base}${extension}`).find((path) => existsSync(path));
  if (file === undefined) {
    throw new CommandError(`functions.${functionKey}.handler: expected a file ${base}{${EXTENSIONS.join(',')}}, found none`);
  }
  return { file, exportName: handler.slice(dot + 1) };
}

export interface WatchOptions {
  readonly esbuild: Esbuild;
  readonly serviceDir: string;
  readonly functionKey: string;
  /** `file.export`. */
  readonly handler: string;
  /** Folder of the built files. */
  readonly outDir: string;
  /** Settings of the service for the bundler. */
  readonly build: BuildOptions;
  /** Wraps the import of the built file. */
  readonly around: <T>(load: () => Promise<T>) => Promise<T>;
  /** Called when a handler was built and loaded: at first, and after every edit that works. */
  readonly onHandler: (handler: SqsLambdaHandler) => void;
  /** Called when a build or load fails; the last handler that worked stays. */
  readonly onProblem: (problem: string) => void;
  /** How long a handler may take to load. @default 10_000, as on Lambda */
  readonly loadMs?: number;
}

/** Builds a handler with all its imports, loads it, and repeats that whenever one of these files changes. */
export async function watchHandler(options: WatchOptions): Promise<{ stop(): Promise<void> }> {
  const { esbuild, serviceDir, functionKey, handler, outDir, build, onProblem, loadMs = INIT_TIMEOUT_MS } = options;
  const { file, exportName } = handlerFile(serviceDir, functionKey, handler);
  const firstLoad = Promise.withResolvers<void>();
  let builds = 0;
  let loading = Promise.resolve();

  const ended = (result: BuildResult): void => {
    builds += 1;
    const number = builds;
    // In order: an older build never replaces a newer one.
    loading = loading.then(() => loadBuild(result, number)).finally(firstLoad.resolve);
  };
  async function loadBuild(result: BuildResult, number: number): Promise<void> {
    const text = result.outputFiles?.[0]?.text;
    if (result.errors.length > 0 || text === undefined) {
      onProblem((await esbuild.formatMessages(result.errors, { kind: 'error' })).join(''));
      return;
    }
    // A new name for each build: Node loads a module once per name.
    const built = join(outDir, `${functionKey}-${number}.mjs`);
    try {
      mkdirSync(outDir, { recursive: true });
      writeFileSync(built, text);
      options.onHandler(await options.around(() => inTime(functionKey, loadMs, loadHandler(built, exportName, functionKey))));
    } catch (error) {
      onProblem(error instanceof Error ? (error.stack ?? error.message) : String(error));
    } finally {
      rmSync(built, { force: true });
    }
  }

  const context: BuildContext = await esbuild.context({
    target: 'node22',
    mainFields: ['module', 'main'],
    ...build,
    absWorkingDir: serviceDir,
    entryPoints: [file],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    // CommonJS packages call `require` for Node's own modules; an ES module has none.
    banner: { js: "import { createRequire as __durableRequire } from 'node:module'; const require = __durableRequire(import.meta.url);" },
    // CommonJS code uses these, too. They name the source file: the built one is deleted once it is loaded.
    define: { __filename: JSON.stringify(file), __dirname: JSON.stringify(dirname(file)), ...build.define },
    sourcemap: 'inline',
    outdir: outDir,
    logLevel: 'silent',
    // Last, so that the service's own plugins have done their work before the handler is loaded.
    plugins: [...(build.plugins ?? []), { name: 'durable-local', setup: (plugin) => plugin.onEnd(ended) }],
  });
  await context.watch();
  await firstLoad.promise;
  return {
    async stop() {
      await context.dispose();
      await loading;
    },
  };
}

async function loadHandler(file: string, exportName: string, functionKey: string): Promise<SqsLambdaHandler> {
  const loaded: Record<string, unknown> = await import(pathToFileURL(file).href);
  // The bundle of a CommonJS handler exports `module.exports` as its default.
  const handler = loaded[exportName] ?? (isRecord(loaded['default']) ? loaded['default'][exportName] : undefined);
  if (!isHandler(handler)) {
    throw new CommandError(`functions.${functionKey}.handler: expected an export "${exportName}" that is a function of (event, context)`);
  }
  return handler;
}

/** Functions load one after another: a module whose top-level await never settles would stop all that come after it. */
async function inTime<T>(functionKey: string, loadMs: number, loading: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const problem = `functions.${functionKey}.handler: expected it to load within ${loadMs} ms, as Lambda does; does its module await something that never comes?`;
    timer = setTimeout(() => reject(new CommandError(problem)), loadMs);
  });
  try {
    return await Promise.race([loading, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** nodejs24.x refuses a handler that takes a callback when it loads. */
function isHandler(value: unknown): value is SqsLambdaHandler {
  return typeof value === 'function' && value.length < 3;
}
