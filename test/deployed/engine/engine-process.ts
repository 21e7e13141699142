/** An engine in a process of its own, as a user runs it: the built package, the credentials of its environment, no other right. */
import { InMemoryStateStore, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport, s3PayloadStore } from 'durable-sqs-lambda';
import { checkout, type Order } from '../../../bench/demo/checkout.ts';
import type { EngineCommand, EngineMessage, EngineSettings, OneStep, RunEnd, RunRequest } from './commands.ts';

const settings: EngineSettings = JSON.parse(process.env['ENGINE_SETTINGS'] ?? '{}');

const store = new InMemoryStateStore();
const transport = new SqsTransport({
  prefix: settings.prefix,
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

async function end({ workflow, runId, input }: RunRequest, timeoutMs: number): Promise<RunEnd> {
  try {
    await engine.start(workflow, input, runId);
    await engine.waitForRun(runId, { until: 'terminal', timeoutMs });
  } catch (error) {
    return { runId, status: 'not ended', message: error instanceof Error ? error.message : String(error) };
  }
  const run = await store.getRun(runId);
  return { runId, status: run?.status ?? 'unknown', output: run?.output, code: run?.error?.code, message: run?.error?.message };
}

process.on('message', (message: EngineCommand) => {
  const { command } = message;
  if (message.kind === 'depth') {
    void transport.groupHealth(message.step).then(({ depth }) => send({ kind: 'depth', command, depth }));
    return;
  }
  for (const run of message.runs) void end(run, message.timeoutMs).then((ended) => send({ kind: 'ended', command, run: ended }));
});
process.once('disconnect', () => {
  clearInterval(timers);
  void transport.close().then(() => process.exit(0));
});
send({ kind: 'ready' });
