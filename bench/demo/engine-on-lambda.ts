import { WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import type { ScheduledEvent, SQSEvent } from 'aws-lambda';
import { runStarter } from 'durable-sqs-lambda/client';
import { sqsEngineHandler } from 'durable-sqs-lambda/engine-function';
import { LocalEventSourceMapping, lambdaContext, scheduledEvent } from 'durable-sqs-lambda/local';
import { checkout, type Order } from './checkout.ts';
import { type Database, openDatabase } from './database.ts';
import type { EngineHost } from './engine-host.ts';
import { FunctionEnvironments } from './function-environments.ts';
import type { LaptopCloud } from './laptop-cloud.ts';
import { RunEnds } from './run-ends.ts';
import type { StepTimes } from './step-times.ts';

const FUNCTION_NAME = 'engine';
const TIMEOUT_MS = 10_000;
const TICK_MS = 60_000;
const KILL_EVERY = 10;
/** A task that is lost is sent once more. */
const REDISPATCH_MS = 15 * 60_000;

type EngineEvent = SQSEvent | ScheduledEvent;

/**
 * The engine as a Lambda function, its state in PostgreSQL: results, starts and wake-ups invoke it by the mappings of
 * their queues, and a schedule ticks. An order's run is started by a message.
 */
export async function engineOnLambda(cloud: LaptopCloud, times: StepTimes): Promise<EngineHost> {
  const { clientConfig } = cloud.sqs;
  const [database, startRunQueueUrl, wakeUpsQueueUrl] = await Promise.all([
    openDatabase(process.env['DATABASE_URL']),
    cloud.createQueue('durable-start-run'),
    cloud.createQueue('durable-wake-ups'),
  ]);
  const environments = new FunctionEnvironments<EngineEvent>(() => engineHandler(database, times), KILL_EVERY);
  const queues = [
    { queueUrl: cloud.resultsQueueUrl, maximumConcurrency: 3 },
    { queueUrl: startRunQueueUrl, maximumConcurrency: 2 },
    { queueUrl: wakeUpsQueueUrl, maximumConcurrency: 2 },
  ];
  const mappings: LocalEventSourceMapping[] = [];
  for (const queue of queues) {
    await cloud.setVisibility(queue.queueUrl, TIMEOUT_MS / 1000);
    const settings = { ...queue, clientConfig, functionName: FUNCTION_NAME, timeoutMs: TIMEOUT_MS };
    mappings.push(new LocalEventSourceMapping({ ...settings, handler: environments.invoke }));
  }
  const ticks = schedule(environments);
  const store = await database.openStore();
  const ends = new RunEnds(store);
  const startRun = runStarter({ clientConfig, queueUrl: startRunQueueUrl });
  for (const mapping of mappings) mapping.start();

  return {
    queueUrls: [startRunQueueUrl, wakeUpsQueueUrl],
    async run(order) {
      await startRun({ workflow: 'checkout', input: order, runId: order.orderId });
      await ends.of(order.orderId);
    },
    getRun: (orderId) => store.getRun(orderId),
    figures() {
      const { invocations, killed, environments: opened, billedMs } = environments.use;
      return [
        ['engine: invocations', invocations],
        ['engine: environments', `${opened}, ${killed} of them killed`],
        ['engine: billed', `${billedMs} ms`],
        ["engine's database", database.name],
      ];
    },
    // An invocation ends when nothing that it has begun is open any more.
    drain: async () => undefined,
    async close() {
      ends.stop();
      await Promise.all([ticks.stop(), ...mappings.map((mapping) => mapping.stop())]);
      await database.close();
    },
  };
}

function engineHandler(database: Database, times: StepTimes) {
  return sqsEngineHandler(async (transport) => {
    const engine = new WorkflowEngine({ store: await database.openStore(), transport, remoteRedispatchMs: REDISPATCH_MS });
    engine.register('checkout', '1', (ctx, input) => checkout(ctx, input as Order));
    times.observe(engine);
    return engine;
  });
}

/** Invokes the function each minute, and at once. */
function schedule({ invoke }: FunctionEnvironments<EngineEvent>): { stop(): Promise<void> } {
  let last: Promise<unknown> = Promise.resolve();
  const tick = () => {
    const context = lambdaContext({ functionName: FUNCTION_NAME, timeoutMs: TIMEOUT_MS });
    // One that is killed is of no consequence: the next one does its work.
    last = invoke(scheduledEvent(), context).catch(() => undefined);
  };
  tick();
  const timer = setInterval(tick, TICK_MS);
  return {
    async stop() {
      clearInterval(timer);
      await last;
    },
  };
}
