import type { WorkflowEngine } from '@dudousxd/nestjs-durable-core';

const POLL_EVERY_MS = 1_000;

/**
 * The engine's passes as `@dudousxd/nestjs-durable` runs them: once a second, one after the other, never two at once.
 */
export function pollAsNest(engine: WorkflowEngine): { stop(): void } {
  let polling = false;
  const poll = async () => {
    if (polling) return;
    polling = true;
    try {
      await engine.runPending();
      await engine.recoverIncomplete();
      await engine.resumeDueTimers();
      await engine.sweepTimeouts();
    } finally {
      polling = false;
    }
  };
  const timer = setInterval(() => void poll(), POLL_EVERY_MS);
  return { stop: () => clearInterval(timer) };
}
