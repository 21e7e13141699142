import type { TestProject } from 'vitest/node';
import { type AwsAddress, startAwsServer } from './server/aws-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    readonly aws: AwsAddress;
  }
}

/** One AWS for all files: each deploys stacks of its own. Its log is kept where a test failed. */
// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { address, stop } = await startAwsServer();
  project.provide('aws', address);
  return () => stop({ keepLog: project.vitest.state.getCountOfFailedTests() > 0 });
}
