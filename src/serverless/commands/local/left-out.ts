import type { Plugin, PluginBuild } from 'esbuild';

/** One for all of these plugins: each would ask the other what it has been asked by it. */
const LOOKED_UP = Symbol('looked up');

/**
 * Leaves the AWS SDK out of the bundle where the service has it installed: as on Lambda, whose runtime holds it.
 * Bundled, it is most of a worker's bundle: a build takes 0.5 s with it and 0.1 s without (two cores).
 */
export function installedSdk(serviceDir: string): Plugin {
  return {
    name: 'durable-installed-sdk',
    setup: (build) => leaveOpen(build, serviceDir, /^@aws-sdk\//, (isInstalled) => isInstalled),
  };
}

/**
 * Leaves an import open that serverless-esbuild's `exclude` names and the service has not installed: a package that
 * another one asks for where it is there. Installed, it is bundled, as nothing else brings it here.
 * @param names as of `exclude`: `class-validator`, `@nestjs/*`. A package's name stands for its subpaths, too
 */
export function excludedPackages(serviceDir: string, names: readonly string[]): Plugin {
  return {
    name: 'durable-excluded-packages',
    setup(build) {
      if (names.length > 0) leaveOpen(build, serviceDir, filterOf(names), (isInstalled) => !isInstalled);
    },
  };
}

function leaveOpen(build: PluginBuild, serviceDir: string, filter: RegExp, isLeftOpen: (isInstalled: boolean) => boolean): void {
  build.onResolve({ filter }, async ({ path, kind, pluginData }) => {
    if (pluginData === LOOKED_UP) return undefined;
    const { errors } = await build.resolve(path, { kind, resolveDir: serviceDir, pluginData: LOOKED_UP });
    return isLeftOpen(errors.length === 0) ? { path, external: true } : undefined;
  });
}

function filterOf(names: readonly string[]): RegExp {
  const patterns = names.map((name) => name.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*'));
  return new RegExp(`^(?:${patterns.join('|')})(?:/.*)?$`);
}
