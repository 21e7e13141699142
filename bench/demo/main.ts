/**
 * `npm start`: checkouts of the real engine, through a real SQS server in this process, to the functions in `handlers/`, invoked as
 * Lambda invokes them. Exits 1 if one run is not in the state it should be.
 */
import { parseArgs } from 'node:util';
import { GetQueueAttributesCommand, SetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { createQueues, LocalEventSourceMapping, startLocalSqs } from 'durable-sqs-lambda/local';
import { checkout, expectedStatus, makeOrders, type Order, STEPS } from './checkout.ts';
import { withKills } from './faults.ts';
import { percentile, progress, table } from './terminal.ts';

const USAGE =
  'npm start [-- --orders N] [--verbose]\n\n  --orders N   checkouts to run, 1 to 100000 (default 50)\n  --verbose    show the log lines of the functions';
/** Seconds a message stays hidden after its function was killed. Short, so that the demo is. */
const VISIBILITY_SECONDS = 2;

function readArguments() {
  const { values } = parseArgs({
    options: {
      orders: { type: 'string', default: '50' },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const orders = Number(values.orders);
  if (!Number.isInteger(orders) || orders < 1 || orders > 100_000)
    throw new Error(`expected --orders to be an integer from 1 to 100000, got ${values.orders}`);
  return { ...values, orders };
}

async function main(): Promise<number> {
  const { orders: count, verbose, help } = readArguments();
  if (help) {
    console.log(USAGE);
    return 0;
  }
  const sqs = await startLocalSqs();
  const { resultsQueueUrl, tasksQueueUrls } = await createQueues({
    clientConfig: sqs.clientConfig,
    steps: STEPS,
    functionTimeoutSeconds: 1,
  });
  const client = new SQSClient(sqs.clientConfig);
  for (const QueueUrl of tasksQueueUrls.values()) {
    await client.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: String(VISIBILITY_SECONDS) } }));
  }

  // What Lambda's environment would hold. The handlers read it when they are loaded, so they are loaded after this.
  Object.assign(process.env, {
    AWS_REGION: sqs.region,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL_SQS: sqs.endpoint,
    DURABLE_RESULTS_QUEUE_URL: resultsQueueUrl,
    AWS_LAMBDA_LOG_LEVEL: verbose ? 'INFO' : 'FATAL',
  });
  const [charge, reserve, notifications] = await Promise.all([
    import('../../handlers/charge-card.ts'),
    import('../../handlers/reserve-stock.ts'),
    import('../../handlers/notifications.ts'),
  ]);
  const functions = {
    'payments.charge-card': charge.handler,
    'stock.reserve': reserve.handler,
    'notifications.send-receipt': notifications.handler,
    'notifications.send-decline-notice': notifications.handler,
  };

  const deliveries = { records: 0, redelivered: 0 };
  const mappings = STEPS.map(
    (step) =>
      new LocalEventSourceMapping({
        clientConfig: sqs.clientConfig,
        queueUrl: tasksQueueUrls.get(step) ?? '',
        handler: withKills(functions[step], deliveries, 4),
        functionName: step,
        timeoutMs: 1_000,
      }),
  );

  const transport = new SqsTransport({ clientConfig: sqs.clientConfig, waitTimeSeconds: 1 });
  const store = new InMemoryStateStore();
  const engine = new WorkflowEngine({ store, transport });
  transport.attach(engine);
  engine.register('checkout', '1', (ctx, input) => checkout(ctx, input as Order));
  // A retry with a backoff is a timer; a bare engine has nobody who looks at timers. (NestJS: `timerPollMs`.)
  const timers = setInterval(() => void engine.resumeDueTimers(), 50);

  const latencies: number[] = [];
  const dispatchedAt = new Map<string, number>();
  let dispatches = 0;
  engine.subscribe(({ type, runId, seq, kind, at }) => {
    if (kind !== 'remote') return;
    const step = `${runId}:${seq}`;
    if (type === 'step.started') {
      dispatches += 1;
      dispatchedAt.set(step, at.getTime());
    } else if (type === 'step.completed' || type === 'step.failed') {
      latencies.push(at.getTime() - (dispatchedAt.get(step) ?? at.getTime()));
    }
  });

  const close = async () => {
    clearInterval(timers);
    await Promise.all([transport.close(), ...mappings.map((mapping) => mapping.stop())]);
    client.destroy();
    await sqs.stop();
  };
  let interrupted = false;
  process.once('SIGINT', () => {
    interrupted = true;
    console.log('\ninterrupted: closing');
    void close().then(() => process.exit(130));
  });

  console.log(`${count} checkouts: real engine → SQS on ${sqs.endpoint} → the functions in handlers/\n`);
  for (const mapping of mappings) mapping.start();
  const orders = makeOrders(count);
  const bar = progress(count);
  const startedAt = performance.now();
  const requestsBefore = total(sqs.requests());
  let done = 0;
  await Promise.all(
    orders.map(async (order) => {
      await engine.start('checkout', order, order.orderId);
      await engine.waitForRun(order.orderId, { until: 'terminal', timeoutMs: 10 * 60_000 });
      done += 1;
      if (!interrupted) bar.show(done);
    }),
  );
  bar.end();
  const seconds = (performance.now() - startedAt) / 1000;
  const requests = total(sqs.requests()) - requestsBefore;

  const allQueues = [...tasksQueueUrls.values(), resultsQueueUrl];
  await untilEmpty(client, allQueues);
  await engine.drain();

  const wrong: string[] = [];
  const outcomes = { completed: 0, declined: 0 };
  for (const order of orders) {
    const run = await store.getRun(order.orderId);
    if (run?.status !== expectedStatus(order)) wrong.push(`${order.orderId} is ${run?.status}, expected ${expectedStatus(order)}`);
    else if (run.status === 'completed') outcomes.completed += 1;
    else outcomes.declined += 1;
  }
  const steps = new Set(dispatchedAt.keys()).size;
  latencies.sort((a, b) => a - b);

  console.log(
    `\n${table([
      ['orders completed', outcomes.completed],
      ['orders declined', outcomes.declined],
      ['orders in a wrong state', wrong.length],
      ['steps', steps],
      ['engine retries', dispatches - steps],
      ['redelivered messages', deliveries.redelivered],
      ['dispatch to result p50', `${percentile(latencies, 0.5)} ms`],
      ['dispatch to result p95', `${percentile(latencies, 0.95)} ms`],
      ['SQS requests per step', (requests / dispatches).toFixed(2)],
      ['time', `${seconds.toFixed(1)} s`],
    ])}\n`,
  );
  console.log('queues');
  for (const url of allQueues) console.log(`  ${url.split('/').at(-1)}`);
  console.log(
    wrong.length === 0
      ? `\nall ${count} runs are in the state they should be`
      : `\nNOT as it should be:\n  ${wrong.slice(0, 20).join('\n  ')}`,
  );

  await close();
  return wrong.length === 0 ? 0 : 1;
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Waits until the messages of killed functions have come back and are done with. */
async function untilEmpty(client: SQSClient, queueUrls: readonly string[]): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (const QueueUrl of queueUrls) {
    while (Date.now() < deadline) {
      const { Attributes } = await client.send(
        new GetQueueAttributesCommand({
          QueueUrl,
          AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
        }),
      );
      if (Object.values(Attributes ?? {}).every((number) => number === '0')) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
