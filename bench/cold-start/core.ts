import { runStepHandler } from '@dudousxd/nestjs-durable-core';

/** The core package's step runner alone: what every worker of this engine that uses it carries. */
export async function handler() {
  return { batchItemFailures: [], runner: typeof runStepHandler };
}
