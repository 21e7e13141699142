import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// The handlers import this package by its name; tests run them on the sources.
const alias = [
  { find: /^durable-sqs-lambda$/, replacement: source('src/index.ts') },
  { find: /^durable-sqs-lambda\/worker$/, replacement: source('src/lambda/index.ts') },
  { find: /^durable-sqs-lambda\/workflow$/, replacement: source('src/workflow/index.ts') },
  { find: /^durable-sqs-lambda\/client$/, replacement: source('src/client/index.ts') },
  { find: /^durable-sqs-lambda\/engine$/, replacement: source('src/transport/index.ts') },
  { find: /^durable-sqs-lambda\/engine-function$/, replacement: source('src/engine-function/index.ts') },
  { find: /^durable-sqs-lambda\/local$/, replacement: source('src/local/index.ts') },
  { find: /^durable-sqs-lambda\/opentelemetry$/, replacement: source('src/opentelemetry/index.ts') },
];

/**
 * Of tests that mostly wait for messages: more than two processors are there for. Another SQS server than the embedded
 * one is shared by all of them, and is the slowest part. A group by themselves: vitest has one number of workers for
 * all projects of a group.
 */
const WAITING = { maxWorkers: process.env['SQS_ENDPOINT'] ? 1 : 3, sequence: { groupOrder: 1 } };

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    projects: [
      { resolve: { alias }, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 20_000, maxWorkers: 2 } },
      {
        resolve: { alias },
        test: { name: 'integration', include: ['test/integration/**/*.test.ts'], testTimeout: 60_000, ...WAITING },
      },
      // Each starts the deploy tool in processes of its own.
      { test: { name: 'deploy', include: ['test/deploy/**/*.test.ts'], testTimeout: 180_000, hookTimeout: 180_000, maxWorkers: 2 } },
      // These need more than npm: a compiler, Python packages, a packed tarball. `.ci/run` installs it.
      { test: { name: 'runtime', include: ['test/runtime/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 180_000, maxWorkers: 1 } },
      { resolve: { alias }, test: { name: 'interop', include: ['test/interop/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 180_000 } },
      { test: { name: 'consumer', include: ['test/consumer/**/*.test.ts'], testTimeout: 300_000, hookTimeout: 300_000 } },
      // Needs PostgreSQL and Python packages.
      { test: { name: 'example', include: ['test/example/**/*.test.ts'], testTimeout: 180_000, hookTimeout: 300_000 } },
      { test: { name: 'newcomer', include: ['test/newcomer/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 300_000 } },
      // Needs ministack from PyPI. Two files at a time: most of their time is the deploy tool's.
      {
        test: {
          name: 'deployed',
          include: ['test/deployed/*.test.ts'],
          globalSetup: 'test/deployed/global-setup.ts',
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
        },
      },
      // Shows that the tests above can fail; takes a quarter of an hour.
      {
        test: {
          name: 'deployed-mutations',
          include: ['test/deployed/mutations/*.test.ts'],
          globalSetup: 'test/deployed/global-setup.ts',
          testTimeout: 600_000,
          hookTimeout: 180_000,
          maxWorkers: 1,
        },
      },
      { resolve: { alias }, test: { name: 'e2e', include: ['test/e2e/**/*.test.ts'], testTimeout: 600_000, ...WAITING } },
    ],
  },
});
