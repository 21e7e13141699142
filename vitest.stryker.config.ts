import { defineConfig } from 'vitest/config';

/** The unit tests of the folders that are mutated, without those that start other programs. */
// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    include: ['test/unit/{wire,naming,sqs,step,lambda,payloads,transport}/**/*.test.ts', 'test/unit/{errors,logger,options}.test.ts'],
    testTimeout: 10_000,
  },
});
