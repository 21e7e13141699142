/**
 * An engine in a process of its own, as a user runs it: the built package, the credentials of its environment, no other
 * right.
 */
import { setTimeout } from 'node:timers/promises';
import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport, s3PayloadStore } from 'durable-sqs-lambda';
import { checkout, type Order } from '../../../bench/demo/checkout.ts';
import type { EngineCommand, EngineMessage, EngineSettings, OneStep, RunEnd, RunRequest } from './commands.ts';

const settings: EngineSettings = JSON.parse(process.env['ENGINE_SETTINGS'] ?? '{}');

const store = new InMemoryStateStore();
const transport = new SqsTransport({
  prefix: settings.prefix,
  startRuns: settings.startRuns === true,
  ...(settings.payloadStore === true ? { payloadStore: s3PayloadStore() } : {}),
});
const engine = new WorkflowEngine({ store, transport });
transport.attach(engine);
engine.register('checkout', '1', (ctx, input) => checkout(ctx, input as Order));
engine.register('one-step', '1', (ctx, input) => {
  const { step, input: stepInput, retries } = input as OneStep;
  return ctx.step(step, stepInput, { retries: retries ?? 1, backoffMs: 50 });
});
for (const name of settings.remoteWorkflows ?? []) engine.remote(name, { group: name });
const timers = setInterval(() => void engine.resumeDueTimers(), 50);

function send(message: EngineMessage): void {
  process.send?.(message);
}

async function run({ workflow, runId, input }: RunRequest, timeoutMs: number): Promise<RunEnd> {
  return endOf(runId, timeoutMs, () => engine.start(workflow, input, runId));
}

async function endOf(runId: string, timeoutMs: number, begun: () => Promise<unknown>): Promise<RunEnd> {
  try {
    await begun();
    await engine.waitForRun(runId, { until: 'terminal', timeoutMs });
  } catch (error) {
    return { runId, status: 'not ended', message: error instanceof Error ? error.message : String(error) };
  }
  const found = await store.getRun(runId);
  return { runId, status: found?.status ?? 'unknown', output: found?.output, code: found?.error?.code, message: found?.error?.message };
}

/** Resolves when there is such a run. */
async function appears(runId: string, timeoutMs: number): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; (await store.getRun(runId)) === null; await setTimeout(50)) {
    if (Date.now() > deadline) throw new Error(`run ${runId} was not started`);
  }
}

process.on('message', (message: EngineCommand) => {
  const { command } = message;
  if (message.kind === 'depth') {
    void transport.groupHealth(message.step).then(({ depth }) => send({ kind: 'depth', command, depth }));
    return;
  }
  const ended = (end: RunEnd) => send({ kind: 'ended', command, run: end });
  const { timeoutMs } = message;
  if (message.kind === 'runs') for (const request of message.runs) void run(request, timeoutMs).then(ended);
  else for (const runId of message.runIds) void endOf(runId, timeoutMs, () => appears(runId, timeoutMs)).then(ended);
});
process.once('disconnect', () => {
  clearInterval(timers);
  void transport.close().then(() => process.exit(0));
});
send({ kind: 'ready' });
