import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import type { Order } from './orders.ts';

const transport = new SqsTransport();
const engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport });
transport.attach(engine);
// New runs start on the newest version; runs of version 1 end on version 1.
for (const version of ['1', '2']) engine.remote('checkout', { group: 'checkout', version });
const timers = setInterval(() => void engine.resumeDueTimers(), 1_000);

const order: Order = { orderId: 'o-1', amountCents: 2_500, address: '1 Main Street' };
await engine.start('checkout', order, order.orderId);
const run = await engine.waitForRun(order.orderId, { until: 'terminal', timeoutMs: 60_000 });
process.stdout.write(`${JSON.stringify(run)}\n`);

clearInterval(timers);
await transport.close();
