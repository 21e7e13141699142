/**
 * A worker in a container, as a user runs it: the built package, the credentials of its environment, no other right.
 */
import { SqsTransport, s3PayloadStore } from 'durable-sqs-lambda/engine';

const prefix = process.env['WORKER_PREFIX'];
if (prefix === undefined) throw new Error('expected WORKER_PREFIX');

const transport = new SqsTransport({
  prefix,
  payloadStore: s3PayloadStore(),
  // Short, so that a step of a few seconds outlives it.
  visibilityTimeoutSec: 2,
});
transport.handle('scans.read', async ({ pages, forMs }: { pages: string; forMs: number }, step) => {
  // The test is of time itself: the task must stay hidden for longer than its visibility timeout.
  await new Promise((resolve) => setTimeout(resolve, forMs));
  return { pages: pages.toUpperCase(), receiveCount: step.receiveCount };
});
process.once('disconnect', () => void transport.close().then(() => process.exit(0)));
process.send?.({ kind: 'ready' });
