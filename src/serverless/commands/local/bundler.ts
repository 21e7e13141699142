import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { BuildContext, BuildOptions, BuildResult, PluginBuild } from 'esbuild';
import type { HandlerCode } from '../../../local/process/function-process.ts';
import { defaultPlugins, REQUIRE_BANNER } from '../../bundles/esbuild-settings.ts';
import { noSourceFile, sourceFileOf } from '../../bundles/handler-files.ts';
import { CommandError } from '../command-error.ts';
import { excludedPackages, installedSdk } from './left-out.ts';
import { SourceWatch } from './source-watch.ts';

type Esbuild = typeof import('esbuild');

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

/**
 * Source file and export that `handlers/charge-card.handler` names.
 * @throws CommandError where there is no such file
 */
export function handlerFile(
  serviceDir: string,
  functionKey: string,
  handler: string,
): { readonly file: string; readonly exportName: string } {
  const file = sourceFileOf(serviceDir, handler);
  if (file === undefined) throw new CommandError(noSourceFile(functionKey, handler));
  return { file, exportName: handler.slice(handler.lastIndexOf('.') + 1) };
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
  /** Packages that are no part of a deployed bundle. */
  readonly exclude: readonly string[];
  /**
   * Called when a handler was built: at first, and after every edit. Gives whether it loads; the file of the last that
   * does is kept.
   */
  readonly onBuilt: (code: HandlerCode) => Promise<boolean>;
  /** Called when a build fails. */
  readonly onProblem: (problem: string) => void;
}

/**
 * Builds a handler with all its imports, and repeats that whenever one of these files changes. Resolves after the first
 * build.
 */
export async function watchHandler(options: WatchOptions): Promise<{ stop(): Promise<void> }> {
  const { esbuild, serviceDir, functionKey, handler, outDir, build, exclude, onBuilt, onProblem } = options;
  const { file, exportName } = handlerFile(serviceDir, functionKey, handler);
  const first = Promise.withResolvers<void>();
  let builds = 0;
  let inUse: HandlerCode | undefined;
  let handling = Promise.resolve();

  const ended = (result: BuildResult): void => {
    builds += 1;
    // A build that failed knows no files: those of the last one are watched on.
    if (result.metafile !== undefined) sources.set(serviceDir, Object.keys(result.metafile.inputs));
    const number = builds;
    // In order: an older build never replaces a newer one.
    handling = handling.then(() => handle(result, number)).finally(first.resolve);
  };
  async function handle(result: BuildResult, number: number): Promise<void> {
    const text = result.outputFiles?.[0]?.text;
    if (result.errors.length > 0 || text === undefined) {
      onProblem((await esbuild.formatMessages(result.errors, { kind: 'error' })).join(''));
      return;
    }
    // esbuild's own watch finds a little later what was built already.
    if (text === inUse?.text) return;
    const built = { file: join(outDir, `${functionKey}-${number}.mjs`), text, exportName, fromDefault: true };
    const loads = await onBuilt(built);
    const unused = loads ? inUse : built;
    if (loads) inUse = built;
    if (unused !== undefined) rmSync(unused.file, { force: true });
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
    banner: { js: REQUIRE_BANNER },
    // CommonJS code uses these, too. They name the source file, which is what the code expects beside its own.
    define: { __filename: JSON.stringify(file), __dirname: JSON.stringify(dirname(file)), ...build.define },
    sourcemap: 'inline',
    metafile: true,
    outdir: outDir,
    logLevel: 'silent',
    // Last, so that the service's own plugins have done their work before the handler is loaded.
    plugins: [
      ...(build.plugins ?? defaultPlugins()),
      installedSdk(serviceDir),
      excludedPackages(serviceDir, exclude),
      { name: 'durable-local', setup: (plugin: PluginBuild) => plugin.onEnd(ended) },
    ],
  });
  // A failed rebuild has been reported by its end.
  const sources = new SourceWatch(() => void context.rebuild().catch(() => undefined));
  await context.watch();
  await first.promise;
  return {
    async stop() {
      sources.stop();
      await context.dispose();
      await handling;
    },
  };
}
