import type { Transport } from '@dudousxd/nestjs-durable-core';

export interface BullMQOptions {
  /** Where a Redis server listens on 127.0.0.1. */
  readonly port: number;
  readonly prefix: string;
  /** Steps that one worker process runs at the same time. */
  readonly concurrency: number;
}

/** The peer's transport over Redis, of a version that fits the store beside it. */
export function openBullMQ(
  options: BullMQOptions,
): Transport & { handle(name: string, handler: (input: unknown) => Promise<unknown>): void };
