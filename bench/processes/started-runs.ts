/**
 * Whoever starts runs: by message, and the time until the database has each as completed. Makes the tables of the
 * store.
 */
import { runStarter, type StartRunFunction } from 'durable-sqs-lambda/client';
import { openStore } from '../../test/postgres/database/open-store.mjs';
import { watchEnds } from '../../test/postgres/database/watch-ends.mjs';
import { THREE_STEPS } from '../peers/three-steps.ts';
import { type Fields, numberOf, textOf } from './fields.ts';
import { serveCommands } from './serve-commands.ts';
import { addressOf, clientConfigOf } from './sqs-server.ts';

/** A run that takes longer than this has been lost. */
const LOST_AFTER_MS = 30_000;

const ends = new Map<string, () => void>();
let startRun: StartRunFunction | undefined;
let lastRun = 0;

async function open(fields: Fields): Promise<Fields> {
  const database = { port: numberOf(fields, 'databasePort'), user: textOf(fields, 'databaseUser'), database: textOf(fields, 'database') };
  const { close } = await openStore({ ...database, connections: 1 });
  await close();
  await watchEnds(database, (runId) => ends.get(runId)?.());
  startRun = runStarter({ clientConfig: clientConfigOf(addressOf(fields)), prefix: textOf(fields, 'prefix') });
  return {};
}

async function oneByOne(fields: Fields): Promise<Fields> {
  const latencies: number[] = [];
  for (let run = 0; run < numberOf(fields, 'runs'); run += 1) latencies.push(await runOnce());
  return answer(latencies);
}

/** Runs that start together, and the next ones when the last of them has ended. */
async function bursts(fields: Fields): Promise<Fields> {
  const latencies: number[] = [];
  const startedAt = performance.now();
  for (let burst = 0; burst < numberOf(fields, 'bursts'); burst += 1) {
    latencies.push(...(await Promise.all(Array.from({ length: numberOf(fields, 'runs') }, runOnce))));
  }
  return { ...answer(latencies), milliseconds: performance.now() - startedAt };
}

/** Milliseconds from the start's send to its end; infinite where there was none. */
async function runOnce(): Promise<number> {
  lastRun += 1;
  const runId = `run-${lastRun}`;
  const startedAt = performance.now();
  const latency = new Promise<number>((resolve) => {
    ends.set(runId, () => resolve(performance.now() - startedAt));
    setTimeout(() => resolve(Number.POSITIVE_INFINITY), LOST_AFTER_MS).unref();
  });
  await startRun?.({ workflow: THREE_STEPS, input: { runId }, runId });
  return latency.finally(() => ends.delete(runId));
}

function answer(latencies: readonly number[]): Fields {
  const completed = latencies.filter(Number.isFinite);
  return { latencies: completed, wrong: latencies.length - completed.length };
}

serveCommands({ open, oneByOne, bursts });
