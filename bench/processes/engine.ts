/** The engine, in a process of its own: one transport or the other, everything else the same. */
import { InMemoryStateStore, type Transport, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport as PublishedTransport } from '@dudousxd/nestjs-durable-transport-sqs';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { AnsweringTransport } from '../peers/answering-transport.ts';
import { BareTransport } from '../peers/bare-transport.ts';
import { ECHO_STEP } from '../peers/echo-step.ts';
import { type Fields, numberOf, textOf } from './fields.ts';
import { serveCommands } from './serve-commands.ts';
import { addressOf, clientConfigOf } from './sqs-server.ts';

/** A run that takes longer than this has been lost. */
const LOST_AFTER_MS = 20_000;
/** For the writes of turns that end after their run has completed. */
const SETTLE_MS = 200;

const store = new InMemoryStateStore();
const completions = new Map<string, () => void>();
let engine: WorkflowEngine | undefined;
let lastRun = 0;

function open(fields: Fields): Fields {
  const variant = textOf(fields, 'variant');
  const options = { clientConfig: clientConfigOf(addressOf(fields)), prefix: textOf(fields, 'prefix') };
  engine = variant === 'ours' ? engineOnOurs(new SqsTransport(options)) : engineOn(otherTransport(variant, options, fields));
  engine.register('one-step', '1', (ctx, input) => ctx.step(ECHO_STEP, { input }));
  engine.subscribe(({ type, runId }) => {
    if (type === 'run.completed') completions.get(runId)?.();
  });
  return {};
}

function otherTransport(variant: string, options: ConstructorParameters<typeof PublishedTransport>[0], fields: Fields): Transport {
  if (variant === 'floor') return new AnsweringTransport();
  if (variant === 'published') return new PublishedTransport(options);
  const { endpoint } = addressOf(fields);
  return new BareTransport({
    endpoint,
    tasksQueueUrl: textOf(fields, 'tasksQueueUrl'),
    resultsQueueUrl: textOf(fields, 'resultsQueueUrl'),
  });
}

function engineOnOurs(transport: SqsTransport): WorkflowEngine {
  const made = engineOn(transport);
  transport.attach(made);
  return made;
}

function engineOn(transport: Transport): WorkflowEngine {
  return new WorkflowEngine({ store, transport });
}

/** All runs started in one go; the time until the last has completed. */
async function atOnce(fields: Fields): Promise<Fields> {
  const runIds = newRunIds(numberOf(fields, 'runs'));
  const progress = { completed: 0, lastAt: performance.now() };
  const startedAt = performance.now();
  const all = Promise.all(
    runIds.map((runId) =>
      runOnce(runId).then(() => {
        progress.completed += 1;
        progress.lastAt = performance.now();
      }),
    ),
  );
  while (!(await within(LOST_AFTER_MS, all)) && performance.now() - progress.lastAt < LOST_AFTER_MS);
  return { milliseconds: progress.lastAt - startedAt, completed: progress.completed, wrong: await wrongRuns(runIds) };
}

/** One run after another; the time of each. */
async function oneByOne(fields: Fields): Promise<Fields> {
  const runIds = newRunIds(numberOf(fields, 'runs'));
  const latencies: number[] = [];
  for (const runId of runIds) {
    const startedAt = performance.now();
    if (await within(LOST_AFTER_MS, runOnce(runId))) latencies.push(performance.now() - startedAt);
  }
  return { latencies, wrong: await wrongRuns(runIds) };
}

async function runOnce(runId: string): Promise<void> {
  const completed = new Promise<void>((resolve) => completions.set(runId, resolve));
  await engine?.start('one-step', { runId }, runId);
  await completed;
  completions.delete(runId);
}

function newRunIds(count: number): string[] {
  const first = lastRun;
  lastRun += count;
  return Array.from({ length: count }, (_, index) => `run-${first + index}`);
}

/** Runs that are not `completed` in the store. A result taken before its turn had ended leaves one asleep for minutes. */
async function wrongRuns(runIds: readonly string[]): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const runs = await Promise.all(runIds.map((runId) => store.getRun(runId)));
  return runs.filter((run) => run?.status !== 'completed').length;
}

async function within(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  const inTime = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}

serveCommands({ open, atOnce, oneByOne });
