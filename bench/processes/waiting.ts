/**
 * Memory of steps that wait for their result, in a real engine: on our transport, or on one that keeps nothing. Needs
 * `--expose-gc`.
 */
import { InMemoryStateStore, type RemoteTask, type StepResult, type Transport, WorkflowEngine } from '@dudousxd/nestjs-durable-core';
import { SqsTransport } from 'durable-sqs-lambda/engine';
import { ECHO_STEP } from '../peers/echo-step.ts';
import { memorySqsClient } from '../peers/memory-sqs.ts';
import { type Fields, numberOf, textOf } from './fields.ts';
import { liveBytes } from './heap.ts';
import { serveCommands } from './serve-commands.ts';

const WARM_UP = 500;

/** Keeps nothing of what it dispatches: what is alive then is the engine's and the store's. */
class ForgetfulTransport implements Transport {
  handler: (result: StepResult) => Promise<void> = async () => undefined;

  async dispatch(_task: RemoteTask): Promise<void> {}

  onResult(handler: (result: StepResult) => Promise<void>): void {
    this.handler = handler;
  }

  onHeartbeat(): void {}
}

async function measure(fields: Fields): Promise<Fields> {
  const steps = numberOf(fields, 'steps');
  const ours = textOf(fields, 'variant') === 'ours';
  // The next results that the queue gives, made on the spot: kept ready they would be part of what is weighed.
  const open = { next: 0, end: 0 };
  const client = memorySqsClient(() => {
    if (open.next >= open.end) return undefined;
    open.next += 1;
    return JSON.stringify(resultOf(open.next - 1));
  });
  const forgetful = new ForgetfulTransport();
  const transport = new SqsTransport({ client, autoStart: false });
  const engine = new WorkflowEngine({ store: new InMemoryStateStore(), transport: ours ? transport : forgetful });
  if (ours) transport.attach(engine);
  engine.register('one-step', '1', (ctx, input) => ctx.step(ECHO_STEP, { input }));
  let completed = 0;
  let wanted = 0;
  let all = Promise.withResolvers<void>();
  engine.subscribe(({ type }) => {
    if (type === 'run.completed') completed += 1;
    if (completed === wanted) all.resolve();
  });

  const start = async (first: number, count: number) => {
    const started: Promise<unknown>[] = [];
    for (let index = first; index < first + count; index += 1) started.push(engine.start('one-step', { index }, runIdOf(index)));
    await Promise.all(started);
  };
  const answer = async (first: number, count: number) => {
    wanted = completed + count;
    all = Promise.withResolvers<void>();
    if (ours) {
      Object.assign(open, { next: first, end: first + count });
      transport.start();
    } else {
      for (let index = first; index < first + count; index += 1) await forgetful.handler(resultOf(index));
    }
    await all.promise;
    await settle();
  };

  // The polls of an empty queue hang until they are cut, so the warm-up of ours only dispatches; its answers come with
  // the rest.
  await start(0, WARM_UP);
  await settle();
  const before = liveBytes();
  await start(WARM_UP, steps);
  await settle();
  const waiting = liveBytes() - before;
  await answer(0, WARM_UP + steps);
  const done = liveBytes() - before;
  return { waiting, done };
}

function runIdOf(index: number): string {
  return `run-${index}`;
}

function resultOf(index: number): StepResult {
  const runId = runIdOf(index);
  return { runId, seq: 0, stepId: `${runId}:0`, status: 'completed', output: { index } };
}

/** Turns and deletes that are on their way come to their end. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 400));
}

serveCommands({ measure });
