import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// The handlers import this package by its name; tests run them on the sources.
const alias = [
  { find: /^durable-sqs-lambda$/, replacement: source('src/index.ts') },
  { find: /^durable-sqs-lambda\/worker$/, replacement: source('src/lambda/index.ts') },
  { find: /^durable-sqs-lambda\/engine$/, replacement: source('src/transport/index.ts') },
  { find: /^durable-sqs-lambda\/local$/, replacement: source('src/local/index.ts') },
];

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    projects: [
      { resolve: { alias }, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 20_000 } },
      { resolve: { alias }, test: { name: 'integration', include: ['test/integration/**/*.test.ts'], testTimeout: 60_000 } },
      { resolve: { alias }, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 600_000, maxWorkers: 2 } },
    ],
  },
});
