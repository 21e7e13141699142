import 'reflect-metadata';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowService } from '@dudousxd/nestjs-durable';
import { InMemoryStateStore, type StateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { startRun } from 'durable-sqs-lambda/client';
import { apiModule, appModule } from './app.module.ts';
import { CheckoutWorkflow, type Order } from './checkout.workflow.ts';
import { DepositWorkflow } from './deposit.workflow.ts';
import { engineFunction, pollingEngineFunction } from './engine-function.ts';
import { type LambdaSide, startLambdaSide } from './lambda-side.ts';

/** Far beyond what this takes, far below the five minutes that a run sleeps whose result was lost. */
const PATIENCE_MS = 120_000;

async function main(): Promise<void> {
  const aws = await startLambdaSide();
  try {
    const runs = {
      checkouts: await checkouts(aws),
      boot: await resultsWaitAtBoot(aws),
      deploys: await deploysUnderLoad(aws),
      lambda: await engineOnLambda(aws),
    };
    const report = { ...runs, leftInQueues: await aws.messages(), polling: await pollingIsRefused(), ...consumer() };
    process.stdout.write(`${JSON.stringify(report)}\n`);
    const outcomes = Object.values(runs).flatMap(({ outcomes }) => Object.keys(outcomes));
    if (report.leftInQueues > 0 || outcomes.some((outcome) => outcome !== 'paid' && outcome !== 'declined')) process.exitCode = 1;
  } finally {
    await aws.stop();
  }
}

/** What this program is to the package: which build it got, and how many copies of the engine it loaded. */
function consumer() {
  const engines = Object.keys(require.cache).filter((path) => /nestjs-durable-core.dist.index\.c?js$/.test(path));
  return { build: relative(join(__dirname, '../node_modules'), require.resolve('durable-sqs-lambda')), engines: engines.length };
}

/** Fifty checkouts, every tenth with a card that is declined. */
async function checkouts(aws: LambdaSide) {
  await aws.deployAll();
  const orders = Array.from({ length: 50 }, (_, index) => order(`order-${index}`, index % 10 === 3));
  const outcomes = await withApp(appModule(new InMemoryStateStore()), async (workflows, engine) => {
    await Promise.all(orders.map((each) => workflows.start(CheckoutWorkflow, each, each.orderId)));
    return settled(engine, orders);
  });
  await aws.withdraw();
  return { outcomes };
}

/**
 * An app goes down while its steps run; their results wait for the next one to boot, whose store takes its time. Beside
 * them a run that is still to begin, and waits for its step in memory while the app boots.
 */
async function resultsWaitAtBoot(aws: LambdaSide) {
  const store = new SlowToOpenStore();
  const orders = Array.from({ length: 10 }, (_, index) => order(`early-${index}`));
  await withApp(appModule(store), async (workflows) => {
    await Promise.all(orders.map((each) => workflows.start(CheckoutWorkflow, each, each.orderId)));
    await Promise.all(orders.map(({ orderId }) => workflows.waitForRun(orderId, { timeoutMs: PATIENCE_MS })));
  });
  // Had Nest's own step registrar served them, there would be none.
  const tasksWaiting = await aws.tasks('payments.charge-card');

  await aws.deploy('payments.charge-card');
  await until(async () => (await aws.results()) === orders.length && (await aws.tasks('payments.charge-card')) === 0);
  await aws.deploy('stock.reserve', 'notifications.send-receipt', 'notifications.send-decline-notice');

  const deposit = order('deposit-1');
  await withApp(apiModule(store), (workflows) => workflows.start(DepositWorkflow, deposit, deposit.orderId));
  const resultsWaiting = await aws.results();

  const startedAt = performance.now();
  const outcomes = await withApp(appModule(store), (_workflows, engine) => settled(engine, [...orders, deposit]));
  await aws.withdraw();
  return { outcomes, tasksWaiting, resultsWaiting, tookMs: Math.round(performance.now() - startedAt) };
}

/**
 * Three deploys in a row while runs are on their way: each app is closed with its hands full, and the next one goes on.
 * All of them are of one module, as in a test file that boots the app for each test: so they use one transport in turn.
 */
async function deploysUnderLoad(aws: LambdaSide) {
  await aws.deployAll();
  const app = appModule(new InMemoryStateStore());
  const orders: Order[] = [];
  for (const deploy of [1, 2, 3]) {
    await withApp(app, async (workflows, engine) => {
      const batch = Array.from({ length: 20 }, (_, index) => order(`deploy-${deploy}-${index}`));
      orders.push(...batch);
      await Promise.all(batch.map((each) => workflows.start(CheckoutWorkflow, each, each.orderId)));
      // The first of them is through, so the others are anywhere.
      await Promise.race(batch.map(({ orderId }) => terminal(engine, orderId)));
    });
  }
  const outcomes = await withApp(app, (_workflows, engine) => settled(engine, orders));
  await aws.withdraw();
  return { outcomes };
}

/**
 * No app of ours runs: the engine is a function, in an application context. Runs begin by message, and one by the
 * schedule of the first tick.
 */
async function engineOnLambda(aws: LambdaSide) {
  const store = new InMemoryStateStore();
  const engine = engineFunction(store);
  await aws.deployAll();
  await aws.deployEngine(engine);
  const orders = Array.from({ length: 20 }, (_, index) => order(`lambda-${index}`, index % 10 === 3));
  await Promise.all(orders.map((each) => startRun({ workflow: 'checkout', input: each, runId: each.orderId })));
  const ended = () => store.listRuns({ statuses: ['completed', 'failed'] });
  await until(async () => (await ended()).length === orders.length);
  await tick(engine);
  await until(async () => (await ended()).length === orders.length + 1);
  await aws.withdraw();
  const outcomes: Record<string, number> = {};
  for (const { status, output } of await ended()) {
    const outcome = status === 'completed' ? outcomeOf(output) : status;
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  return { outcomes };
}

/** What a function says whose module polls. */
async function pollingIsRefused(): Promise<string> {
  const apps: INestApplicationContext[] = [];
  try {
    await tick(pollingEngineFunction(new InMemoryStateStore(), apps));
    return 'it was not refused';
  } catch (error) {
    return String(error);
  } finally {
    for (const app of apps) await app.close();
  }
}

/** The schedule fires. */
function tick(engine: object): Promise<unknown> {
  const context = { awsRequestId: 'tick', getRemainingTimeInMillis: () => 30_000 };
  return Reflect.apply(Object.assign(engine), undefined, [{ source: 'aws.events' }, context]);
}

/**
 * Boots an app, lets `work` use it, and closes it the way a deploy does: Nest drains the engine and closes the
 * transport.
 */
async function withApp<T>(module: Type, work: (workflows: WorkflowService, engine: WorkflowEngine) => Promise<T>): Promise<T> {
  const app: INestApplicationContext = await NestFactory.createApplicationContext(module, { logger: ['error', 'warn'] });
  try {
    return await work(app.get(WorkflowService), app.get(WorkflowEngine));
  } finally {
    await app.close();
  }
}

function order(orderId: string, declined = false): Order {
  return { orderId, amountCents: 4_200, cardToken: declined ? 'tok_declined' : 'tok_visa' };
}

function terminal(engine: WorkflowEngine, orderId: string) {
  return engine.waitForRun(orderId, { until: 'terminal', timeoutMs: PATIENCE_MS });
}

/** How many runs ended in which way. */
async function settled(engine: WorkflowEngine, orders: readonly Order[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const result of await Promise.all(orders.map(({ orderId }) => terminal(engine, orderId)))) {
    const outcome = result.status === 'completed' ? outcomeOf(result.output) : `${result.status}: ${result.error?.message}`;
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

function outcomeOf(output: unknown): string {
  return typeof output === 'object' && output !== null && 'outcome' in output ? String(output.outcome) : 'no outcome';
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('waited too long');
    await delay(20);
  }
}

/** A database that is not there at once: DurableModule opens it before it registers the workflows. */
class SlowToOpenStore extends InMemoryStateStore implements StateStore {
  async ensureSchema(): Promise<void> {
    await delay(500);
  }
}

// Nothing ends the process: it ends when all that it opened is closed.
main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
