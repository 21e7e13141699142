import { fileURLToPath } from 'node:url';
import { build, type Metafile } from 'esbuild';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

async function bundled(entry: string, external: readonly string[]): Promise<Metafile['outputs'][string]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: 'index.mjs',
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    mainFields: ['module', 'main'],
    external: [...external],
    write: false,
    metafile: true,
  });
  const output = Object.values(metafile.outputs)[0];
  return output ?? expect.fail('expected a bundle');
}

describe('the bundle of a handler, with the AWS SDK left to the runtime', () => {
  it('loads no SDK and no HTTP client when it starts, and the SDK only where it is asked for', async () => {
    const { imports } = await bundled('handlers/charge-card.ts', ['@aws-sdk']);
    const atStart = imports.filter(({ kind }) => kind === 'import-statement').map(({ path }) => path);
    expect(new Set(atStart)).toEqual(new Set(['node:async_hooks', 'node:crypto', 'node:module', 'node:timers']));
    expect(imports.filter(({ kind }) => kind === 'dynamic-import').map(({ path }) => path)).toEqual(['@aws-sdk/client-sqs']);
  });

  it('contains everything else', async () => {
    const { imports } = await bundled('handlers/charge-card.ts', ['@aws-sdk']);
    expect(imports.filter(({ path, external }) => external !== true || !/^(node:|@aws-sdk\/)/.test(path))).toEqual([]);
  });
});

describe('the bundle of a function that starts runs', () => {
  it('stays below 26 kB, and holds neither the SDK nor the core package', async () => {
    const { imports, bytes, inputs } = await bundled('test/deployed/services/starts/begin.ts', ['@aws-sdk']);
    expect(bytes).toBeLessThan(26_000);
    expect(Object.keys(inputs).filter((path) => path.includes('node_modules'))).toEqual([]);
    const atStart = imports.filter(({ kind }) => kind === 'import-statement').map(({ path }) => path);
    expect(atStart.filter((path) => !path.startsWith('node:'))).toEqual([]);
  });

  it('loads the code of metrics and spans for nobody who does not ask for them', async () => {
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: ['handlers/charge-card.ts'],
      outdir: 'out',
      bundle: true,
      splitting: true,
      platform: 'node',
      format: 'esm',
      mainFields: ['module', 'main'],
      external: ['@aws-sdk'],
      write: false,
      metafile: true,
    });
    const isOf = (what: RegExp) => (output: Metafile['outputs'][string]) => Object.keys(output.inputs).some((input) => what.test(input));
    const outputs = Object.values(metafile.outputs);
    const metrics = outputs.filter(isOf(/\/metrics\b/));
    expect(metrics).toHaveLength(1);
    expect(metrics[0]?.entryPoint).toMatch(/metrics/);
    expect(outputs.filter(isOf(/opentelemetry/))).toEqual([]);
  });
});
