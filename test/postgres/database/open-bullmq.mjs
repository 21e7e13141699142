import { BullMQTransport } from '@dudousxd/nestjs-durable-transport-bullmq';

/** See `open-bullmq.d.mts`. */
export function openBullMQ({ port, prefix, concurrency }) {
  return new BullMQTransport({ connection: { host: '127.0.0.1', port, maxRetriesPerRequest: null }, prefix, concurrency });
}
