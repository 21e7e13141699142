import { defineConfig } from 'tsdown';

const entry = {
  index: 'src/index.ts',
  worker: 'src/lambda/index.ts',
  workflow: 'src/workflow/index.ts',
  client: 'src/client/index.ts',
  engine: 'src/transport/index.ts',
  'engine-function': 'src/engine-function/index.ts',
  local: 'src/local/index.ts',
  opentelemetry: 'src/opentelemetry/index.ts',
  'serverless-plugin': 'src/serverless/index.ts',
  'esbuild-plugin': 'src/serverless/lean-core.ts',
  // `npx durable-sqs-lambda init`.
  init: 'src/serverless/init/main.ts',
  // No entry of the package: `sls durable local` starts processes with it, which find it beside themselves.
  'local-runtime': 'src/local/process/local-runtime.ts',
};
const common = { entry, platform: 'node', target: 'node22', sourcemap: true, fixedExtension: true, logLevel: 'warn' } as const;

/** An `import()` of the AWS SDK; not the type of one. */
const SDK_IMPORT = /(?<!typeof )\bimport\(('@aws-sdk\/[a-z0-9-]+')\)/g;

/**
 * The AWS SDK by `require` in CommonJS, when it is needed. In Jest's CommonJS, which NestJS projects have, any `import()` fails unless Node
 * runs with `--experimental-vm-modules`. In a `try`, or esbuild would not build a handler without the packages that are optional.
 */
const sdkByRequire = {
  name: 'sdk-by-require',
  transform(code: string) {
    const required = '(async () => { try { return require($1); } catch (error) { throw error; } })()';
    const transformed = code.replaceAll(SDK_IMPORT, required);
    // Every line stays in its place.
    return transformed === code ? undefined : { code: transformed, map: null };
  },
};

// biome-ignore lint/style/noDefaultExport: tsdown reads the default export
export default defineConfig([
  { ...common, format: 'esm', dts: true, outDir: 'dist/esm' },
  // middy 7 has no `require` condition, so its code goes into the CommonJS build.
  { ...common, format: 'cjs', dts: true, outDir: 'dist/cjs', deps: { alwaysBundle: [/^@middy\//] }, plugins: [sdkByRequire] },
]);
