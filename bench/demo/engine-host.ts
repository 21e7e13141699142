import type { WorkflowRun } from '@dudousxd/nestjs-durable-core';
import type { Order } from './checkout.ts';

/** Where the engine of the demo runs, and what the demo needs of it. */
export interface EngineHost {
  /** Starts an order's run. Resolves when it has ended. */
  run(order: Order): Promise<void>;
  getRun(orderId: string): Promise<WorkflowRun | null>;
  /** Queues that only this engine has. */
  readonly queueUrls: readonly string[];
  /** What it adds to the figures of the demo. */
  figures(): readonly (readonly [string, string | number])[];
  /** Resolves when nothing that the engine has begun is open any more. */
  drain(): Promise<void>;
  close(): Promise<void>;
}
