import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { completedSettings } from '../../src/serverless/bundles/esbuild-settings.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A folder with one bundle per handler, as a deployment has it: `handlers/charge-card.ts` is `charge-card.mjs`. */
export interface Bundles {
  readonly folder: string;
  /** Bytes of one bundle, by its name. */
  readonly bytes: ReadonlyMap<string, number>;
  remove(): Promise<void>;
}

/** Bundles handlers as `serverless.yml` has it. Entries are paths from the root of the repository, or absolute. */
export async function bundleHandlers(...entries: readonly string[]): Promise<Bundles> {
  const folder = await mkdtemp(join(tmpdir(), 'bundles-'));
  const bytes = new Map<string, number>();
  // Of these only serverless-esbuild knows the first.
  const { skipRebuild: _, ...settings } = completedSettings({ format: 'esm' });
  for (const entry of entries) {
    const { outputFiles } = await build({
      absWorkingDir: root,
      entryPoints: [entry],
      outdir: folder,
      bundle: true,
      minify: true,
      sourcemap: true,
      platform: 'node',
      target: 'node22',
      ...settings,
      mainFields: ['module', 'main'],
      external: ['@aws-sdk/*'],
      outExtension: { '.js': '.mjs' },
      entryNames: '[name]',
      logLevel: 'error',
      write: true,
      metafile: true,
    }).then(({ metafile }) => ({ outputFiles: Object.entries(metafile.outputs) }));
    for (const [path, output] of outputFiles) {
      if (path.endsWith('.mjs')) bytes.set(path.replace(/^.*\/|\.mjs$/g, ''), output.bytes);
    }
  }
  return { folder, bytes, remove: () => rm(folder, { recursive: true }) };
}
