/**
 * `npm start`: checkouts of the real engine, through a real SQS server in this process, to the functions in
 * `handlers/`, invoked as Lambda invokes them. With `--serverless` the engine is such a function, too. Exits 1 if one
 * run is not in the state it should be.
 */
import { parseArgs } from 'node:util';
import { expectedStatus, makeOrders, type Order } from './checkout.ts';
import type { EngineHost } from './engine-host.ts';
import { engineInProcess } from './engine-in-process.ts';
import { LaptopCloud } from './laptop-cloud.ts';
import { StepTimes } from './step-times.ts';
import { percentile, progress, table } from './terminal.ts';

const USAGE = `npm start [-- --serverless] [--orders N] [--verbose]

  --serverless   run the engine as a Lambda function, too, with PostgreSQL: that of DATABASE_URL, else one in this process (PGlite)
  --orders N     checkouts to run, 1 to 100000 (default 50)
  --verbose      show the log lines of the functions`;

function readArguments() {
  const { values } = parseArgs({
    options: {
      serverless: { type: 'boolean', default: false },
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
  const { orders: count, serverless, verbose, help } = readArguments();
  if (help) {
    console.log(USAGE);
    return 0;
  }
  // The database in this process holds up what is beside it.
  const cloud = await LaptopCloud.open({ verbose, stepTimeoutSeconds: serverless ? 3 : 1 });
  const times = new StepTimes();
  const host = await openHost(serverless, cloud, times);
  const close = async () => {
    await host.close();
    await cloud.close();
  };
  let interrupted = false;
  process.once('SIGINT', () => {
    interrupted = true;
    console.log('\ninterrupted: closing');
    void close().then(() => process.exit(130));
  });

  console.log(
    `${count} checkouts: ${serverless ? 'the engine in a function' : 'real engine'} → SQS on ${cloud.sqs.endpoint} → the functions in handlers/\n`,
  );
  cloud.start();
  const orders = makeOrders(count);
  const bar = progress(count);
  const startedAt = performance.now();
  const requestsBefore = cloud.requests();
  let done = 0;
  await Promise.all(
    orders.map(async (order) => {
      await host.run(order);
      done += 1;
      if (!interrupted) bar.show(done);
    }),
  );
  bar.end();
  const seconds = (performance.now() - startedAt) / 1000;
  const requests = cloud.requests() - requestsBefore;

  const queueUrls = [...cloud.taskQueueUrls, cloud.resultsQueueUrl, ...host.queueUrls];
  await cloud.untilEmpty(queueUrls);
  await host.drain();

  const { wrong, completed, declined } = await outcomes(orders, host);
  const latencies = times.sorted();
  console.log(
    `\n${table([
      ['orders completed', completed],
      ['orders declined', declined],
      ['orders in a wrong state', wrong.length],
      ['steps', times.steps],
      ['engine retries', times.dispatches - times.steps],
      ['redelivered messages', cloud.deliveries.redelivered],
      ['dispatch to result p50', `${percentile(latencies, 0.5)} ms`],
      ['dispatch to result p95', `${percentile(latencies, 0.95)} ms`],
      ['SQS requests per step', (requests / times.dispatches).toFixed(2)],
      ['time', `${seconds.toFixed(1)} s`],
      ...host.figures(),
    ])}\n`,
  );
  console.log('queues');
  for (const url of queueUrls) console.log(`  ${url.split('/').at(-1)}`);
  console.log(
    wrong.length === 0
      ? `\nall ${count} runs are in the state they should be`
      : `\nNOT as it should be:\n  ${wrong.slice(0, 20).join('\n  ')}`,
  );

  await close();
  return wrong.length === 0 ? 0 : 1;
}

/** The database of an engine on Lambda takes a while to load. */
async function openHost(serverless: boolean, cloud: LaptopCloud, times: StepTimes): Promise<EngineHost> {
  if (!serverless) return engineInProcess(cloud, times);
  const { engineOnLambda } = await import('./engine-on-lambda.ts');
  return engineOnLambda(cloud, times);
}

async function outcomes(orders: readonly Order[], host: EngineHost) {
  const wrong: string[] = [];
  let completed = 0;
  let declined = 0;
  for (const order of orders) {
    const run = await host.getRun(order.orderId);
    if (run?.status !== expectedStatus(order)) wrong.push(`${order.orderId} is ${run?.status}, expected ${expectedStatus(order)}`);
    else if (run.status === 'completed') completed += 1;
    else declined += 1;
  }
  return { wrong, completed, declined };
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
