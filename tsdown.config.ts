import { defineConfig } from 'tsdown';

const entry = {
  index: 'src/index.ts',
  worker: 'src/lambda/index.ts',
  engine: 'src/transport/index.ts',
  local: 'src/local/index.ts',
  'serverless-plugin': 'src/serverless/index.ts',
  'esbuild-plugin': 'src/serverless/lean-core.ts',
  // No entry of the package: `sls durable local` starts processes with it, which find it beside themselves.
  'local-runtime': 'src/local/process/local-runtime.ts',
};
const common = { entry, platform: 'node', target: 'node22', sourcemap: true, fixedExtension: true, logLevel: 'warn' } as const;

// biome-ignore lint/style/noDefaultExport: tsdown reads the default export
export default defineConfig([
  { ...common, format: 'esm', dts: true, outDir: 'dist/esm' },
  // middy 7 has no `require` condition, so its code goes into the CommonJS build.
  { ...common, format: 'cjs', dts: true, outDir: 'dist/cjs', deps: { alwaysBundle: [/^@middy\//] } },
]);
