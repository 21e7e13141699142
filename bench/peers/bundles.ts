import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { leanCore } from '../../src/serverless/lean-core.ts';

/** Name → source file of a function, relative to the repository. */
export const FUNCTIONS = {
  ours: 'handlers/charge-card.ts',
  'aws-sdk': 'bench/cold-start/aws-sdk.ts',
  powertools: 'bench/cold-start/powertools.ts',
  bare: 'bench/cold-start/bare.ts',
  core: 'bench/cold-start/core.ts',
  nothing: 'bench/cold-start/nothing.ts',
  engine: 'bench/function/engine.ts',
} as const;

export type FunctionName = keyof typeof FUNCTIONS;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Bundle {
  /** Folder of its own, with `index.mjs` in it. */
  readonly taskRoot: string;
  /** Minified: what is loaded at once, and what is loaded when it is needed. */
  readonly entryBytes: number;
  readonly lazyBytes: number;
}

/**
 * Bundles a function as the README says: ES module, minified, `mainFields: module, main`; ours with the esbuild plugin
 * that the deploy plugin adds. What is imported dynamically is a file of its own.
 */
export async function bundle(name: FunctionName, folder: string): Promise<Bundle> {
  const taskRoot = join(folder, name);
  await mkdir(taskRoot, { recursive: true });
  const { metafile } = await build({
    entryPoints: { index: join(ROOT, FUNCTIONS[name]) },
    absWorkingDir: ROOT,
    outdir: taskRoot,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    minify: true,
    // The SQL store finds its entities by the names of their classes.
    keepNames: name === 'engine',
    sourcemap: true,
    sourcesContent: false,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    mainFields: ['module', 'main'],
    plugins: name === 'ours' ? [leanCore()] : [],
    // CommonJS inside may call `require`.
    banner: { js: "import { createRequire } from 'node:module';const require = createRequire(import.meta.url);" },
    metafile: true,
    logLevel: 'error',
  });
  const outputs = Object.entries(metafile.outputs).filter(([file]) => file.endsWith('.mjs'));
  const loaded = statically(
    Object.fromEntries(
      outputs.map(([file, { imports }]) => [file, imports.filter(({ kind }) => kind === 'import-statement').map(({ path }) => path)]),
    ),
    outputs.find(([, { entryPoint }]) => entryPoint === FUNCTIONS[name])?.[0] ?? '',
  );
  let entryBytes = 0;
  let lazyBytes = 0;
  for (const [file] of outputs) {
    const { size } = await stat(join(ROOT, file));
    if (loaded.has(file)) entryBytes += size;
    else lazyBytes += size;
  }
  return { taskRoot, entryBytes, lazyBytes };
}

/** The files that loading `entry` loads. */
function statically(imports: Readonly<Record<string, readonly string[]>>, entry: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(entry)) return seen;
  seen.add(entry);
  for (const file of imports[entry] ?? []) if (file in imports) statically(imports, file, seen);
  return seen;
}
