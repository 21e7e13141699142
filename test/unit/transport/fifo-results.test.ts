import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TransportClosedError } from '../../../src/errors.ts';
import { encodePointer } from '../../../src/payloads/pointer.ts';
import { systemTiming } from '../../../src/time.ts';
import { ResultOrder } from '../../../src/transport/result-order.ts';
import { ResultReceiver, type ResultReceiverOptions } from '../../../src/transport/result-receiver.ts';
import { TimedTurns } from '../../../src/transport/timed-turns.ts';
import type { StepResult } from '../../../src/wire/step-result.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { deferred } from '../../support/deferred.ts';
import { ended } from './ended.ts';
import { FakeSqs } from './fake-sqs.ts';
import { MemoryPayloads, unavailable } from './memory-payloads.ts';

const QUEUE = 'durable-results.fifo';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
const resultOf = (runId: string, seq: number): StepResult => ({ runId, seq, stepId: `${runId}:${seq}`, status: 'completed' });

function setUp(options: Partial<ResultReceiverOptions> = {}, order = new ResultOrder(() => new TimedTurns(0), 60_000)) {
  const sqs = new FakeSqs(QUEUE);
  const logger = capturingLogger();
  const errors: unknown[] = [];
  const handled: string[] = [];
  const receiver = new ResultReceiver({
    api: sqs,
    queueUrl: async () => FakeSqs.url(QUEUE),
    waitTimeSeconds: 20,
    marker: undefined,
    payloadStore: undefined,
    saved: () => false,
    order: () => order,
    turnMissing: () => false,
    continueRun: async () => undefined,
    takenForOther: () => undefined,
    onError: (error) => errors.push(error),
    logger,
    timing: { ...systemTiming, random: () => 1 },
    ...options,
    handler: async (result) => {
      handled.push(result.stepId);
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
  return { sqs, receiver, logger, errors, handled, order };
}

describe('results of one run on a FIFO queue', () => {
  it('are handed over one after the other, the next when the one before it is deleted; runs do not wait for each other', async () => {
    const turn = deferred<void>();
    const { sqs, handled } = setUp({ handler: ({ stepId }) => (stepId === 'a:0' ? turn.promise : Promise.resolve()) });
    await pass(5_000);
    expect(handled).toEqual(['a:0', 'b:0']);
    turn.resolve();
    await pass();
    expect(handled).toEqual(['a:0', 'b:0', 'a:1']);
    expect(sqs.messages(QUEUE)).toEqual([]);
  });

  it('wait for a delete that is slow', async () => {
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

  it('go back together, unseen but for the first, where the engine rejects it, and come again in order', async () => {
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

  it('go back at once, all of them, where the transport closes before the first was handed over', async () => {
    const order = new ResultOrder(() => new TimedTurns(0), 60_000);
    const closing = deferred<void>();
    order.submit = () => closing.promise;
    const { sqs, receiver, handled, errors } = setUp({}, order);
    await pass();
    const stopped = receiver.stop();
    await pass(1_000);
    await stopped;
    closing.reject(new TransportClosedError('closed'));
    await pass();
    expect(handled).toEqual([]);
    expect(sqs.visibilities).toEqual([0, 0, 0]);
    expect(errors).toEqual([]);
  });

  it('are not held up by a body that is no result, nor received as often: its receives are used up soon, and theirs would be too', async () => {
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

  it('wait for one whose stored body is out of reach: it comes again, and they behind it', async () => {
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

  it('nor by one whose stored body is gone', async () => {
    const { sqs, handled } = setUp();
    sqs.putInGroup(QUEUE, 'c', encodePointer({ bucket: 'b', key: 'k' }));
    sqs.putInGroup(QUEUE, 'c', resultOf('c', 1));
    await pass();
    expect(handled).toContain('c:1');
    await pass(600_000);
    expect(sqs.messages(QUEUE)).toHaveLength(1);
  });
});

describe('a turn that waits in memory for a step', () => {
  it('has the message of the result that began it deleted, once that is saved: SQS would deliver nothing else of the run', async () => {
    const turn = deferred<void>();
    let saved = false;
    const { sqs, receiver, handled } = setUp({
      saved: () => saved,
      handler: ({ stepId }) => (stepId === 'a:0' ? turn.promise : Promise.resolve()),
    });
    await pass();
    receiver.turnAwaits('a');
    await pass();
    expect(handled).toEqual(['a:0', 'b:0']);
    saved = true;
    receiver.turnAwaits('a');
    await pass();
    expect(sqs.callsOf('delete').length).toBeGreaterThan(1);
    expect(sqs.messages(QUEUE).map(({ body }) => body)).toEqual([JSON.stringify(resultOf('a', 1))]);
    turn.resolve();
    await pass();
    expect(sqs.messages(QUEUE)).toEqual([]);
    expect(sqs.callsOf('delete')).toHaveLength(3);
  });

  it('and then fails is told of; the saved result stays deleted', async () => {
    const turn = deferred<void>();
    const { sqs, receiver, errors, logger } = setUp({
      saved: () => true,
      handler: ({ stepId }) => (stepId === 'a:0' ? turn.promise : Promise.resolve()),
    });
    await pass();
    receiver.turnAwaits('a');
    turn.reject(new Error('store is down'));
    await pass(60_000);
    await ended(receiver.stop());
    expect(errors).toEqual([new Error('store is down')]);
    expect(logger.lines).toMatchObject([
      { level: 'error', message: 'the turn that a result began failed after the result was saved', fields: { runId: 'a', stepId: 'a:0' } },
    ]);
    expect(sqs.messages(QUEUE)).toEqual([]);
  });

  it('has it deleted too once the engine has taken it and the run is being continued', async () => {
    const continued = deferred<void>();
    const { sqs, receiver } = setUp({ turnMissing: ({ stepId }) => stepId === 'a:0', continueRun: () => continued.promise });
    await pass();
    expect(sqs.messages(QUEUE)).toHaveLength(2);
    receiver.turnAwaits('a');
    await pass();
    expect(sqs.messages(QUEUE).map(({ body }) => body)).toEqual([JSON.stringify(resultOf('a', 1))]);
    continued.resolve();
    await pass();
    expect(sqs.messages(QUEUE)).toEqual([]);
  });

  it('is settled only when that turn has ended, though the message is gone', async () => {
    const turn = deferred<void>();
    const { receiver } = setUp({ saved: () => true, handler: ({ stepId }) => (stepId === 'b:0' ? turn.promise : Promise.resolve()) });
    await pass();
    receiver.turnAwaits('b');
    await pass(1_000);
    const stopped = receiver.stop();
    await pass(1_000);
    await stopped;
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

  it('is none of ours where no result of the run is with the engine', () => {
    const { receiver } = setUp();
    expect(() => receiver.turnAwaits('unknown')).not.toThrow();
  });
});
