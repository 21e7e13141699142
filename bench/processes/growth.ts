/** Batches and backlogs of growing size, without network. Needs `--expose-gc`. */
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { lambdaContext } from 'durable-sqs-lambda/local';
import { ECHO_STEP } from '../peers/echo-step.ts';
import { memorySqsClient } from '../peers/memory-sqs.ts';
import { type FakeSender, onOurs } from '../peers/record-handlers.ts';
import { taskEvent } from '../peers/sqs-event.ts';
import { stepResultBody } from '../peers/step-result.ts';
import { type Fields, numberOf } from './fields.ts';
import { liveBytes } from './heap.ts';
import { serveCommands } from './serve-commands.ts';

/** The same work before, until the compiler has seen enough of it: else the smallest size would look the slowest. */
const WARM_UP = 2_000;

const silent: FakeSender = { send: async () => undefined };

/**
 * One invocation of `size` records: microseconds per record, and what is alive at its last send beyond the event
 * itself, per record.
 */
async function batch(fields: Fields): Promise<Fields> {
  const size = numberOf(fields, 'size');
  const event = taskEvent(size);
  const state = { sent: 0, aliveAtEnd: 0, weigh: false };
  const sender: FakeSender = {
    async send() {
      state.sent += 1;
      if (state.weigh && state.sent === size) state.aliveAtEnd = liveBytes();
    },
  };
  const handler = onOurs(sender);
  const invoke = () => handler(event, lambdaContext({ functionName: 'bench', timeoutMs: 60_000 }));
  for (let round = 0; round < WARM_UP / 10; round += 1) {
    await onOurs(silent)(taskEvent(10), lambdaContext({ functionName: 'bench', timeoutMs: 60_000 }));
  }

  const startedAt = performance.now();
  await invoke();
  const microseconds = ((performance.now() - startedAt) * 1000) / size;
  if (state.sent !== size) throw new Error(`expected ${size} results, got ${state.sent}`);

  Object.assign(state, { sent: 0, weigh: true });
  const before = liveBytes();
  await invoke();
  return { microseconds, bytes: Math.max(0, state.aliveAtEnd - before) / size };
}

/** `size` tasks dispatched at once: microseconds per task, and what stays alive of each once SQS has accepted it. */
async function dispatches(fields: Fields): Promise<Fields> {
  const size = numberOf(fields, 'size');
  const dispatchAll = async (count: number, name: string) => {
    const client = memorySqsClient(() => undefined);
    const transport = new SqsTransport({ client });
    const task = (index: number) => {
      const runId = `${name}-${index}`;
      return { runId, seq: 0, stepId: `${runId}:0`, name: ECHO_STEP, group: ECHO_STEP, input: { index }, attempt: 1 };
    };
    const before = liveBytes();
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: count }, (_, index) => transport.dispatch(task(index))));
    const microseconds = ((performance.now() - startedAt) * 1000) / count;
    const bytes = Math.max(0, liveBytes() - before) / count;
    await transport.close();
    client.destroy();
    return { microseconds, bytes };
  };
  await dispatchAll(WARM_UP, 'warm-up');
  return dispatchAll(size, 'run');
}

/**
 * A backlog of `size` results taken in: microseconds per result, deletes included, and what stays alive of each after
 * the last.
 */
async function results(fields: Fields): Promise<Fields> {
  const size = numberOf(fields, 'size');
  const takeAll = async (count: number) => {
    let made = 0;
    let taken = 0;
    const all = Promise.withResolvers<void>();
    const client = memorySqsClient(() => {
      made += 1;
      return made > count ? undefined : stepResultBody(made);
    });
    const transport = new SqsTransport({ client, resultHoldMs: 0, autoStart: false });
    transport.onResult(async () => {
      taken += 1;
      if (taken === count) all.resolve();
    });
    const before = liveBytes();
    const startedAt = performance.now();
    transport.start();
    await all.promise;
    const microseconds = ((performance.now() - startedAt) * 1000) / count;
    await new Promise((resolve) => setTimeout(resolve, 20));
    const bytes = Math.max(0, liveBytes() - before) / count;
    await transport.close();
    client.destroy();
    return { microseconds, bytes };
  };
  await takeAll(WARM_UP);
  return takeAll(size);
}

serveCommands({ batch, dispatches, results });
