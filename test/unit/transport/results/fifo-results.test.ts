import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodePointer } from '../../../../src/payloads/pointer.ts';
import { systemTiming } from '../../../../src/time.ts';
import type { ReceivedResult } from '../../../../src/transport/engine/given.ts';
import { NO_STEP } from '../../../../src/transport/engine/result-order.ts';
import { UnattachedEngine } from '../../../../src/transport/engine/unattached-engine.ts';
import { ResultReceiver, type ResultReceiverOptions } from '../../../../src/transport/results/result-receiver.ts';
import type { StepResult } from '../../../../src/wire/step-result.ts';
import { capturingLogger } from '../../../support/capturing-logger.ts';
import { deferred } from '../../../support/deferred.ts';
import { MemoryPayloads, unavailable } from '../../../support/memory-payloads.ts';
import { ended } from '../ended.ts';
import { FakeSqs } from '../fake-sqs.ts';

const QUEUE = 'durable-results.fifo';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
const resultOf = (runId: string, seq: number): StepResult => ({ runId, seq, stepId: `${runId}:${seq}`, status: 'completed' });

/** The engine's side, with what it was given. */
class NotingEngine extends UnattachedEngine {
  readonly given: ReceivedResult[] = [];

  override give(received: ReceivedResult): Promise<void> {
    this.given.push(received);
    return super.give(received);
  }

  /** As where a turn of the run awaits a step in memory, and the engine has saved the result that began it. */
  deleteEarly(runId: string): void {
    for (const { result, deleteEarly } of this.given) if (result.runId === runId) deleteEarly?.();
  }
}

function setUp(options: Partial<ResultReceiverOptions> = {}, engine = new NotingEngine(0)) {
  const sqs = new FakeSqs(QUEUE);
  const logger = capturingLogger();
  const errors: unknown[] = [];
  const handled: string[] = [];
  const receiver = new ResultReceiver({
    api: sqs,
    queues: { resultsQueueUrl: async () => FakeSqs.url(QUEUE) },
    waitTimeSeconds: 20,
    marker: undefined,
    payloadStore: undefined,
    session: { engine },
    decisionHandler: async () => undefined,
    maxHoldMs: 60_000,
    onError: (error) => errors.push(error),
    logger,
    timing: { ...systemTiming, random: () => 1 },
    ...options,
    handler: async (result) => {
      // The receiver asks whether the store answers.
      if (result.stepId !== NO_STEP) handled.push(result.stepId);
      await options.handler?.(result);
    },
  });
  for (const [runId, seq] of [
    ['a', 0],
    ['a', 1],
    ['b', 0],
  ] as const)
    sqs.putInGroup(QUEUE, runId, resultOf(runId, seq));
  receiver.start();
  return { sqs, receiver, logger, errors, handled, engine };
}

describe('results of one run on a FIFO queue', () => {
  it('each result waits until the one before it is deleted; runs do not wait for each other', async () => {
    const turn = deferred<void>();
    const { sqs, handled } = setUp({ handler: ({ stepId }) => (stepId === 'a:0' ? turn.promise : Promise.resolve()) });
    await pass(5_000);
    expect(handled).toEqual(['a:0', 'b:0']);
    turn.resolve();
    await pass();
    expect(handled).toEqual(['a:0', 'b:0', 'a:1']);
    expect(sqs.messages(QUEUE)).toEqual([]);
  });

  it('each result waits for a delete that is slow', async () => {
    const deleted = deferred<void>();
    const { sqs, handled } = setUp();
    const deleteMessages = sqs.deleteMessages.bind(sqs);
    sqs.deleteMessages = async (...args) => {
      await deleted.promise;
      return deleteMessages(...args);
    };
    await pass();
    expect(handled).toEqual(['a:0', 'b:0']);
    deleted.resolve();
    await pass();
    expect(handled).toEqual(['a:0', 'b:0', 'a:1']);
  });

  it('all of a group are redelivered in order where the engine rejects the first one', async () => {
    let fails = true;
    const { sqs, handled } = setUp({
      handler: async ({ stepId }) => {
        if (stepId === 'a:0' && fails) throw new Error('no');
      },
    });
    await pass();
    expect(handled).toEqual(['a:0', 'b:0']);
    expect(sqs.visibilities).toEqual([1, 1]);
    fails = false;
    await pass(1_000);
    expect(handled).toEqual(['a:0', 'b:0', 'a:0', 'a:1']);
    expect(sqs.messages(QUEUE)).toEqual([]);
  });

  it('all of a group are redelivered at once where the transport closes before the first was given to the engine', async () => {
    const held = new NotingEngine(60_000);
    for (const [runId, seq] of [
      ['a', 0],
      ['b', 0],
    ] as const)
      held.dispatching(resultOf(runId, seq));
    const { sqs, receiver, handled, errors } = setUp({}, held);
    await pass();
    await ended(receiver.stop());
    await pass();
    expect(handled).toEqual([]);
    expect(sqs.visibilities).toEqual([0, 0, 0]);
    expect(errors).toEqual([]);
  });

  it('a body that is no result holds up none of its group, and uses up no receives but its own', async () => {
    const { sqs, handled } = setUp();
    for (const body of ['no result', resultOf('c', 1), resultOf('c', 2)]) sqs.putInGroup(QUEUE, 'c', body);
    await pass();
    expect(handled).toEqual(['a:0', 'b:0', 'c:1', 'a:1', 'c:2']);
    await pass(50_000);
    sqs.putInGroup(QUEUE, 'c', resultOf('c', 3));
    await pass(50_000);
    expect(handled.at(-1)).toBe('c:3');
    expect(sqs.messages(QUEUE)).toMatchObject([{ body: 'no result' }]);
    expect(sqs.messages(QUEUE)[0]?.receiveCount).toBeGreaterThan(95);
  });

  it('results wait for one whose stored body is out of reach: it is redelivered, and they behind it', async () => {
    const payloadStore = new MemoryPayloads();
    const pointer = await payloadStore.put(JSON.stringify(resultOf('c', 0)), { kind: 'result', runId: 'c', stepId: 'c:0', seq: 0 });
    payloadStore.fault = unavailable();
    const { sqs, handled } = setUp({ payloadStore });
    sqs.putInGroup(QUEUE, 'c', encodePointer(pointer));
    sqs.putInGroup(QUEUE, 'c', resultOf('c', 1));
    await pass(3_000);
    expect(handled).toEqual(['a:0', 'b:0', 'a:1']);
    payloadStore.fault = undefined;
    await pass(60_000);
    expect(handled.slice(3)).toEqual(['c:0', 'c:1']);
  });

  it('a result whose stored body is gone holds up none of its group', async () => {
    const { sqs, handled } = setUp();
    sqs.putInGroup(QUEUE, 'c', encodePointer({ bucket: 'b', key: 'k' }));
    sqs.putInGroup(QUEUE, 'c', resultOf('c', 1));
    await pass();
    expect(handled).toContain('c:1');
    await pass(600_000);
    expect(sqs.messages(QUEUE)).toHaveLength(1);
  });
});

describe('a result of which the message is deleted within its turn', () => {
  const turnOf = (stepId: string) => {
    const turn = deferred<void>();
    return { turn, handler: (result: StepResult) => (result.stepId === stepId ? turn.promise : Promise.resolve()) };
  };

  it('lets the next one of its group be given, and is deleted once', async () => {
    const { turn, handler } = turnOf('a:0');
    const { sqs, engine, handled } = setUp({ handler });
    await pass();
    expect(handled).toEqual(['a:0', 'b:0']);
    engine.deleteEarly('a');
    await pass();
    expect(sqs.messages(QUEUE).map(({ body }) => body)).toEqual([JSON.stringify(resultOf('a', 1))]);
    turn.resolve();
    await pass();
    expect(handled).toEqual(['a:0', 'b:0', 'a:1']);
    expect(sqs.messages(QUEUE)).toEqual([]);
    expect(sqs.callsOf('delete')).toHaveLength(3);
  });

  it('stays deleted where the turn fails, and that is told', async () => {
    const { turn, handler } = turnOf('a:0');
    const { sqs, engine, receiver, errors, logger } = setUp({ handler });
    await pass();
    engine.deleteEarly('a');
    turn.reject(new Error('store is down'));
    await pass(60_000);
    await ended(receiver.stop());
    expect(errors).toEqual([new Error('store is down')]);
    expect(logger.lines).toMatchObject([
      { level: 'error', message: 'the turn that a result began failed after the result was saved', fields: { runId: 'a', stepId: 'a:0' } },
    ]);
    expect(sqs.messages(QUEUE)).toEqual([]);
  });

  it('counts as under way until its turn has ended, though the message is gone', async () => {
    const { turn, handler } = turnOf('b:0');
    const { engine, receiver } = setUp({ handler });
    await pass();
    engine.deleteEarly('b');
    await pass(1_000);
    await ended(receiver.stop());
    let settled = false;
    const done = receiver.settled().then(() => {
      settled = true;
    });
    await pass(1_000);
    expect(settled).toBe(false);
    turn.resolve();
    await pass();
    await done;
  });
});
