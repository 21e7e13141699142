import { configDefaults, defineConfig } from 'vitest/config';

/** The unit tests of src, without those that start other programs: Stryker runs each test that reaches a mutant. */
// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    include: ['test/unit/**/*.test.ts'],
    exclude: [...configDefaults.exclude, 'test/unit/{readme,import-direction}.test.ts', 'test/unit/{bench,faults,serverless/commands}/**'],
    testTimeout: 10_000,
  },
});
