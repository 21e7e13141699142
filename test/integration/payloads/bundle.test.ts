import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Bundles a Lambda handler; gives the files whose code is in it, and what it still imports. */
async function bundle(source: string, { withoutS3 = false } = {}) {
  const { metafile, warnings } = await build({
    stdin: { contents: source, resolveDir: root, loader: 'ts' },
    bundle: true,
    write: false,
    metafile: true,
    logLevel: 'silent',
    platform: 'node',
    format: 'esm',
    mainFields: ['module', 'main'],
    alias: {
      'durable-sqs-lambda/worker': `${root}src/lambda/index.ts`,
      'durable-sqs-lambda': `${root}src/index.ts`,
      // Looked for like any package, and not found.
      ...(withoutS3 ? { '@aws-sdk/client-s3': '@aws-sdk/not-installed' } : {}),
    },
    outfile: 'index.mjs',
  });
  const output = metafile.outputs['index.mjs'];
  if (output === undefined) throw new Error('expected index.mjs');
  const files = Object.entries(output.inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : []));
  return { s3Files: files.filter((file) => file.includes('client-s3')), imports: output.imports, warnings };
}

const HANDLER = "export { handler } from './handlers/charge-card.ts';";
const WITH_STORE = `
  import { s3PayloadStore } from 'durable-sqs-lambda';
  export const store = s3PayloadStore();`;

describe('the bundle of a handler', () => {
  it('holds none of the S3 client if it stores nothing', async () => {
    const { s3Files, imports } = await bundle(HANDLER);
    expect(s3Files).toEqual([]);
    expect(imports.filter(({ path }) => path.includes('client-s3'))).toEqual([]);
  });

  it('holds the S3 client if it stores bodies: the test above can fail', async () => {
    expect((await bundle(WITH_STORE)).s3Files.length).toBeGreaterThan(10);
  });

  it.each([HANDLER, WITH_STORE])('builds without an installed S3 client: %s', async (source) => {
    await expect(bundle(source, { withoutS3: true })).resolves.toMatchObject({ s3Files: [] });
  });
});
