import { WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { sqsEngineHandler } from 'durable-sqs-lambda/engine-function';

/** The engine in a function, on PostgreSQL in its process. What its runs come to, it prints. */
export const handler = sqsEngineHandler(async (transport) => {
  const { openStore }: typeof import('../pglite-store.ts') = await import(process.env['STORE_MODULE'] ?? '');
  const engine = new WorkflowEngine({ store: await openStore(), transport });
  engine.register('order', '1', async (ctx, input) => {
    const charge = await ctx.step('payments.charge-card', input, { retries: 2, backoffMs: 1_000 });
    await ctx.sleep(1_000);
    return [charge, await ctx.child('parcel', input)];
  });
  engine.register('parcel', '1', (ctx, input) => ctx.step('stock.reserve', input));
  engine.subscribe(({ type, runId, output }) => {
    // biome-ignore lint/suspicious/noConsole: the test reads it
    if (type === 'run.completed') console.log(`completed ${runId}: ${JSON.stringify(output)}`);
  });
  return engine;
});
