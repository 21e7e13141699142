import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { leanCore } from '../../src/serverless/lean-core.ts';
import type { FakeSender, RecordHandler } from './record-handlers.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));

/**
 * The record handlers as they are deployed by our plugin: bundled and minified, with a core package that gives no names
 * at run time.
 */
export async function deployedHandlers(sender: FakeSender): Promise<Readonly<Record<string, RecordHandler>>> {
  // Inside of the repository: what stays external is found from there.
  const reports = join(HERE, '../../reports');
  await mkdir(reports, { recursive: true });
  const folder = await mkdtemp(join(reports, 'records-'));
  try {
    const outfile = join(folder, 'handlers.mjs');
    await build({
      entryPoints: [join(HERE, 'record-handlers.ts')],
      outfile,
      bundle: true,
      minify: true,
      platform: 'node',
      format: 'esm',
      mainFields: ['module', 'main'],
      external: ['@aws-sdk/*'],
      plugins: [leanCore()],
      banner: { js: "import { createRequire } from 'node:module';const require = createRequire(import.meta.url);" },
      logLevel: 'error',
    });
    const { recordHandlers }: typeof import('./record-handlers.ts') = await import(outfile);
    return recordHandlers(sender);
  } finally {
    await rm(folder, { recursive: true });
  }
}
