import { WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { sqsEngineHandler } from 'durable-sqs-lambda/engine-function';
import { openStore } from './open-store.ts';

export interface Order {
  readonly orderId: string;
  readonly parcels: number;
}

export const handler = sqsEngineHandler(async (transport) => {
  const { store } = await openStore({ ...JSON.parse(process.env['DATABASE'] ?? ''), connections: 2 });
  // A task that a killed function has not sent is sent once more within a minute or two, not after the five minutes of
  // the default.
  const engine = new WorkflowEngine({ store, transport, reconcileMs: 10_000, remoteRedispatchMs: 60_000 });
  /** A step that is retried, a sleep, a fan-out and a child. */
  engine.register('order', '1', async (ctx, input) => {
    const { orderId, parcels } = input as Order;
    const payment = await ctx.step('orders.charge', { orderId }, { retries: 3, backoffMs: 500 });
    await ctx.sleep(1_500);
    const ids = Array.from({ length: parcels }, (_, index) => `${orderId}/${index}`);
    const packed = await Promise.all(ids.map((parcel) => ctx.step('orders.pack', { parcel })));
    const label = await ctx.child('label', `label of ${orderId}`);
    return { payment, packed, label };
  });
  engine.register('label', '1', (ctx, parcel) => ctx.step('orders.pack', { parcel }));
  return engine;
});
