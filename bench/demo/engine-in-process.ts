import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { checkout, type Order } from './checkout.ts';
import type { EngineHost } from './engine-host.ts';
import type { LaptopCloud } from './laptop-cloud.ts';
import type { StepTimes } from './step-times.ts';

const RUN_TIMEOUT_MS = 10 * 60_000;

/** The engine as a process that stays up, with its state in memory. */
export function engineInProcess({ sqs }: LaptopCloud, times: StepTimes): EngineHost {
  const transport = new SqsTransport({ clientConfig: sqs.clientConfig, waitTimeSeconds: 1 });
  const store = new InMemoryStateStore();
  const engine = new WorkflowEngine({ store, transport });
  transport.attach(engine);
  engine.register('checkout', '1', (ctx, input) => checkout(ctx, input as Order));
  times.observe(engine);
  // A retry with a backoff is a timer; a bare engine has nobody who looks at timers. (NestJS: `timerPollMs`.)
  const timers = setInterval(() => void engine.resumeDueTimers(), 50);
  return {
    queueUrls: [],
    async run(order) {
      await engine.start('checkout', order, order.orderId);
      await engine.waitForRun(order.orderId, { until: 'terminal', timeoutMs: RUN_TIMEOUT_MS });
    },
    getRun: (orderId) => store.getRun(orderId),
    figures: () => [],
    drain: () => engine.drain(),
    async close() {
      clearInterval(timers);
      await transport.close();
    },
  };
}
