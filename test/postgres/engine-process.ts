/** A process of the application: an engine on the database, with its transport. Takes orders from the test over IPC. */
import { appendFileSync } from 'node:fs';
import { WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { within } from '../../src/time.ts';
import { SqsTransport } from '../../src/transport/index.ts';
import { isRecord } from '../../src/wire/shape.ts';
import { openStore } from './database/open-store.mjs';
import { type Answer, idOf, type Order, type ProcessOptions } from './messages.ts';
import { pollAsNest } from './nest-poller.ts';
import { clientConfigOf, optionsOfProcess } from './process-options.ts';
import { traced } from './traced-store.ts';
import { register, signalOf } from './workload.ts';

const options: ProcessOptions = optionsOfProcess();
const { name, database, fifoResults, leaseMs } = options;
const note = (line: string) => appendFileSync(options.trace, `${Date.now()} ${name} ${line}\n`);
const noteProblem = (what: string, fields: object) => note(`${what} ${JSON.stringify(fields)}`);

const { store, close: closeStore } = await openStore(database);
const transport = new SqsTransport({
  clientConfig: clientConfigOf(options),
  consumeTasks: false,
  autoStart: options.polls !== 'nobody',
  waitTimeSeconds: 2,
  fifo: { tasks: false, results: fifoResults },
  logger: { debug: noteProblem, info: noteProblem, warn: noteProblem, error: noteProblem },
});
const engine = new WorkflowEngine({
  store: traced(store, note),
  transport,
  instanceId: name,
  ...(leaseMs === undefined ? {} : { leaseMs }),
});
transport.attach(engine, { poll: options.polls === 'attached' });
engine.subscribe(({ type, runId, seq }) => note(`${runId} event ${type}${seq === undefined ? '' : ` ${seq}`}`));
register(engine);
const poller = options.polls === 'as Nest' ? pollAsNest(engine) : undefined;

// The engine leaves rejections of its store unhandled, which would end the process: an application catches them, or is
// restarted.
process.on('unhandledRejection', (reason) => note(`unhandled rejection: ${String(reason)}`));
process.on('disconnect', () => process.exit(0));
process.on('message', (order: unknown) => void obey(order));
process.once('SIGTERM', () => void shutDown());
answer({ ready: true });

async function obey(order: unknown): Promise<void> {
  if (!isOrder(order)) throw new Error('expected an order of this test');
  try {
    await carryOut(order);
    answer({ done: idOf(order) });
  } catch (error) {
    // The store is down, or the run to come: the test gives the order again.
    note(`refused ${idOf(order)}: ${String(error)}`);
  }
}

async function carryOut(order: Order): Promise<void> {
  if ('start' in order) await engine.start(order.start.kind, { runId: order.start.runId }, order.start.runId);
  else if ('signal' in order) await engine.signal(signalOf(order.signal), { for: order.signal });
  else if ((await engine.cancel(order.cancel)) === null) throw new Error('the run has not been started');
}

/** As Nest shuts down: the poller first, then the engine, then the transport. */
async function shutDown(): Promise<void> {
  const startedAt = Date.now();
  poller?.stop();
  await engine.drain();
  const drainedAt = Date.now();
  await transport.close();
  note(`closed: drain ${drainedAt - startedAt} ms, close ${Date.now() - drainedAt} ms`);
  // Its pool never closes where the database has cut its connections.
  await within(
    1_000,
    closeStore().catch(() => undefined),
  );
  process.exit(0);
}

function answer(message: Answer): void {
  process.send?.(message);
}

function isOrder(value: unknown): value is Order {
  return isRecord(value) && ('start' in value || 'signal' in value || 'cancel' in value);
}
