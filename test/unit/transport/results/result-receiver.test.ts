import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { QueueNotFoundError } from '../../../../src/errors.ts';
import { systemTiming } from '../../../../src/time.ts';
import { SERVICE_QUEUES } from '../../../../src/topology/queue-kinds.ts';
import { NO_STEP } from '../../../../src/transport/engine/result-order.ts';
import { UnattachedEngine } from '../../../../src/transport/engine/unattached-engine.ts';
import { ResultReceiver, type ResultReceiverOptions } from '../../../../src/transport/results/result-receiver.ts';
import type { StepResult } from '../../../../src/wire/step-result.ts';
import { capturingLogger } from '../../../support/capturing-logger.ts';
import { deferred } from '../../../support/deferred.ts';
import { ended } from '../ended.ts';
import { definite, FakeSqs, transient } from '../fake-sqs.ts';

const QUEUE = 'durable-results';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const resultOf = (seq: number, runId = `run-${seq}`): StepResult => ({
  runId,
  seq,
  stepId: `${runId}:${seq}`,
  status: 'completed',
  output: seq,
});

function setUp(options: Partial<ResultReceiverOptions> = {}, sqs = new FakeSqs(QUEUE), engine = new UnattachedEngine(0)) {
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
  receiver.start();
  return { sqs, engine, receiver, logger, errors, handled };
}

/** Lets so much time pass, and all that happens in it. */
const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

describe('a result that the engine takes', () => {
  it('its message is deleted once the engine has accepted it', async () => {
    const turn = deferred<void>();
    const { sqs, handled } = setUp({ handler: () => turn.promise });
    sqs.put(QUEUE, resultOf(0));
    await pass();
    expect(handled).toEqual(['run-0:0']);
    expect(sqs.callsOf('delete')).toEqual([]);
    turn.resolve();
    await pass();
    expect(sqs.messages(QUEUE)).toEqual([]);
  });

  it('its message is deleted with others in one request', async () => {
    const { sqs } = setUp();
    for (let seq = 0; seq < 10; seq += 1) sqs.put(QUEUE, resultOf(seq));
    await pass();
    expect(sqs.messages(QUEUE)).toEqual([]);
    expect(sqs.callsOf('delete')).toHaveLength(1);
  });

  it('its receive is a long poll, and hides it for 30 seconds', async () => {
    const { sqs } = setUp({ waitTimeSeconds: 7 });
    await pass();
    expect(sqs.callsOf('receive')[0]?.receive).toEqual({
      maxMessages: 10,
      waitTimeSeconds: 7,
      visibilityTimeoutSeconds: 30,
      attributeNames: [],
    });
  });

  it('stays hidden for as long as the turn takes that it begins', async () => {
    const turn = deferred<void>();
    const { sqs, handled } = setUp({ handler: () => turn.promise });
    sqs.put(QUEUE, resultOf(0));
    await pass(10 * 60_000);
    expect(handled).toEqual(['run-0:0']);
    expect(sqs.messages(QUEUE)[0]?.receiveCount).toBe(1);
    expect(new Set(sqs.visibilities)).toEqual(new Set([30]));
    turn.resolve();
    await pass();
    expect(sqs.messages(QUEUE)).toEqual([]);
    const changes = sqs.callsOf('change').length;
    await pass(60_000);
    expect(sqs.callsOf('change')).toHaveLength(changes);
  });

  it('a delete that fails is told of; the result is redelivered and accepted again', async () => {
    const { sqs, errors, logger, handled } = setUp();
    sqs.entryFault = (operation) =>
      operation === 'delete' ? { ok: false, sqsCode: 'ReceiptHandleIsInvalid', transient: false } : undefined;
    sqs.put(QUEUE, resultOf(0));
    await pass(1_000);
    expect(errors).toHaveLength(1);
    expect(logger.lines.map(({ message }) => message)).toEqual(['a delete or visibility change failed; the message will be redelivered']);
    sqs.entryFault = () => undefined;
    await pass(30_000);
    expect(handled).toEqual(['run-0:0', 'run-0:0']);
    expect(sqs.messages(QUEUE)).toEqual([]);
  });

  it('5,000 results are with the engine at once, a bound for memory', async () => {
    const turn = deferred<void>();
    const { sqs, handled } = setUp({ handler: () => turn.promise });
    for (let seq = 0; seq < 5_100; seq += 1) sqs.put(QUEUE, resultOf(seq));
    // Receives are a turn of the event loop apart.
    for (let receives = 0; receives < 500; receives += 1) await pass(1);
    expect(handled).toHaveLength(5_000);
    turn.resolve();
    for (let receives = 0; receives < 20; receives += 1) await pass(1);
    expect(handled).toHaveLength(5_100);
    expect(sqs.messages(QUEUE)).toEqual([]);
  });
});

describe('a result that the engine rejects', () => {
  it('redelivered with growing delay, it is accepted in the end; the loop lives on', async () => {
    let tries = 0;
    const { sqs, handled, errors, logger } = setUp({
      handler: async ({ stepId }) => {
        if (stepId !== 'run-0:0') return;
        tries += 1;
        if (tries <= 4) throw Object.assign(new Error('card 4111'), { code: 'ECONNREFUSED' });
      },
    });
    sqs.put(QUEUE, resultOf(0));
    // Others keep coming, so that it is not taken for an outage.
    for (let second = 0; second < 40; second += 1) {
      await pass(500);
      sqs.put(QUEUE, resultOf(1 + second));
    }
    await pass();
    expect(sqs.visibilities).toEqual([1, 2, 4, 8]);
    expect(tries).toBe(5);
    expect(handled).toHaveLength(45);
    expect(sqs.messages(QUEUE)).toEqual([]);
    expect(errors).toHaveLength(4);
    expect(logger.lines).toHaveLength(4);
    expect(logger.lines[1]).toMatchObject({
      level: 'error',
      message: 'the engine rejected a result; it will be redelivered',
      fields: {
        runId: 'run-0',
        stepId: 'run-0:0',
        messageId: 'm1',
        receiveCount: 2,
        errorName: 'Error',
        errorCode: 'ECONNREFUSED',
        delaySeconds: 2,
      },
    });
  });

  it('waits a quarter of an hour at most, and after hours an hour: its hundred receives last for days', async () => {
    const { sqs } = setUp({
      handler: async ({ stepId }) => {
        if (stepId === 'run-0:0') throw new Error('no');
      },
    });
    sqs.put(QUEUE, resultOf(0));
    await pass(2 * 3_600_000);
    expect(Math.max(...sqs.visibilities)).toBe(900);
    await pass(58 * 3_600_000);
    expect(Math.max(...sqs.visibilities)).toBe(3_600);
    expect(sqs.messages(QUEUE)[0]?.receiveCount).toBeLessThan(SERVICE_QUEUES.results.redrive.maxReceiveCount);
  });
});

describe('while the store is down', () => {
  it('an hour of it brings no result near to 100 receives, and then all are taken', async () => {
    let down = true;
    const { sqs, handled } = setUp({
      handler: async () => {
        if (down) throw new Error('store is down');
      },
    });
    for (let seq = 0; seq < 50; seq += 1) sqs.put(QUEUE, resultOf(seq));
    await pass(3_600_000);
    const receives = sqs.messages(QUEUE).map(({ receiveCount }) => receiveCount);
    expect(receives).toHaveLength(50);
    expect(Math.max(...receives)).toBeLessThan(15);
    // What it costs: a probe every half minute.
    expect(handled.length).toBeLessThan(250);
    down = false;
    await pass(16 * 60_000);
    expect(sqs.messages(QUEUE)).toEqual([]);
  });

  it('a short outage is over soon, however many results were with the engine when it began', async () => {
    let down = true;
    const { sqs, handled } = setUp({
      handler: async () => {
        await systemTiming.sleep(1_000);
        if (down) throw new Error('store is down');
      },
    });
    for (let seq = 0; seq < 300; seq += 1) sqs.put(QUEUE, resultOf(seq));
    await pass(4_000);
    expect(handled.length).toBeGreaterThanOrEqual(300);
    down = false;
    await pass(8_000);
    const receives = sqs.messages(QUEUE).map(({ receiveCount }) => receiveCount);
    expect(receives.length).toBeLessThan(150);
  });

  it('an hour of it with a single result', async () => {
    const { sqs } = setUp({
      handler: async () => {
        throw new Error('store is down');
      },
    });
    sqs.put(QUEUE, resultOf(0));
    await pass(3_600_000);
    expect(sqs.messages(QUEUE)[0]?.receiveCount).toBeLessThan(20);
  });

  it('an hour of it where each call hangs for a minute first', async () => {
    const { sqs } = setUp({
      handler: async () => {
        await systemTiming.sleep(60_000);
        throw new Error('store is down');
      },
    });
    for (let seq = 0; seq < 50; seq += 1) sqs.put(QUEUE, resultOf(seq));
    await pass(3_600_000);
    expect(Math.max(...sqs.messages(QUEUE).map(({ receiveCount }) => receiveCount))).toBeLessThan(20);
  });

  it('turns that are with the engine do not keep it from probing', async () => {
    const turn = deferred<void>();
    let down = true;
    const { sqs, handled } = setUp({
      handler: async ({ runId }) => {
        if (runId === 'long') return turn.promise;
        if (down) throw new Error('store is down');
      },
    });
    sqs.put(QUEUE, resultOf(0, 'long'));
    for (const seq of [1, 2, 3]) sqs.put(QUEUE, resultOf(seq));
    await pass();
    expect(handled).toHaveLength(4);
    down = false;
    await pass(10_000);
    expect(sqs.messages(QUEUE)).toHaveLength(1);
    turn.resolve();
    await pass();
    expect(sqs.messages(QUEUE)).toEqual([]);
  });

  it('one result that is always rejected does not stop the others', async () => {
    const { sqs, handled } = setUp({
      handler: async ({ runId }) => {
        if (runId === 'poison') throw new Error('no');
      },
    });
    sqs.put(QUEUE, resultOf(0, 'poison'));
    for (let minute = 1; minute <= 60; minute += 1) {
      sqs.put(QUEUE, resultOf(minute));
      await pass(60_000);
      expect(handled).toContain(`run-${minute}:${minute}`);
    }
  });
});

describe('what is not a result', () => {
  it.each([
    ['no JSON', 'card 4111'],
    ['a list', '[]'],
    ['without a run', '{"stepId":"s","seq":0,"status":"completed","output":"card 4111"}'],
    ['a wrong status', '{"runId":"r","stepId":"s","seq":0,"status":"card 4111"}'],
    ['nothing', ''],
  ])('%s is logged with the message id and no contents, never deleted, and the loop lives on', async (_what, body) => {
    const { sqs, logger, handled, errors } = setUp();
    sqs.put(QUEUE, body);
    sqs.put(QUEUE, resultOf(1));
    await pass(100_000);
    expect(handled).toEqual(['run-1:1']);
    expect(sqs.messages(QUEUE).map(({ messageId }) => messageId)).toEqual(['m1']);
    // Left alone: every 30 seconds SQS offers it again, until the redrive policy takes it.
    expect(sqs.messages(QUEUE)[0]?.receiveCount).toBe(4);
    expect(sqs.callsOf('change')).toEqual([]);
    expect(logger.lines).toHaveLength(4);
    expect(logger.lines[0]).toMatchObject({
      level: 'error',
      message: 'message is not a StepResult; left for the dead-letter queue',
      fields: { messageId: 'm1', receiveCount: 1 },
    });
    expect(JSON.stringify(logger.lines)).not.toContain('4111');
    expect(errors).toEqual([]);
  });
});

describe('receiving that fails', () => {
  it('backs off, tells of it, and recovers', async () => {
    const { sqs, logger, errors, handled } = setUp();
    sqs.fault = (operation) => (operation === 'receive' ? transient('ServiceUnavailable') : undefined);
    await pass(60_000);
    const atMs = sqs.callsOf('receive').map((call) => call.atMs);
    // The first poll had begun before.
    expect(atMs.slice(1, 9).map((at, index) => at - (atMs[index] ?? 0))).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000]);
    expect(errors.length).toBe(atMs.length);
    expect(logger.lines[0]).toMatchObject({
      level: 'warn',
      message: 'receiving results failed',
      fields: { errorName: 'SqsRequestError', errorCode: 'sqs_request', queue: FakeSqs.url(QUEUE), retryInMs: 100 },
    });
    sqs.fault = () => undefined;
    sqs.put(QUEUE, resultOf(0));
    await pass(10_000);
    expect(handled).toEqual(['run-0:0']);
  });

  it('lives on where access is denied: somebody may grant it', async () => {
    const { sqs, handled } = setUp();
    sqs.fault = () => definite();
    await pass(3_600_000);
    sqs.fault = () => undefined;
    sqs.put(QUEUE, resultOf(0));
    await pass(10_000);
    expect(handled).toEqual(['run-0:0']);
  });

  it('lives on where there is no queue, and finds it when it is there', async () => {
    const sqs = new FakeSqs();
    let asked = 0;
    const { errors, handled } = setUp(
      {
        queues: {
          async resultsQueueUrl() {
            asked += 1;
            if (sqs.queueNames.length === 0) throw new QueueNotFoundError(QUEUE, 'eu-west-1');
            return FakeSqs.url(QUEUE);
          },
        },
      },
      sqs,
    );
    await pass(60_000);
    expect(asked).toBeGreaterThan(5);
    expect(errors).toHaveLength(asked);
    sqs.addQueue(QUEUE);
    sqs.put(QUEUE, resultOf(0));
    await pass(10_000);
    expect(handled).toEqual(['run-0:0']);
  });

  it('tells which queue is gone, so that it is looked up anew', async () => {
    const gone: [string, string | undefined][] = [];
    const { sqs } = setUp({ onError: (error, url) => void gone.push([error instanceof Error ? error.name : '', url]) });
    await pass();
    sqs.removeQueue(QUEUE);
    await pass();
    expect(gone).toEqual([['QueueNotFoundError', FakeSqs.url(QUEUE)]]);
  });
});

describe('an outage of the store of an hour', () => {
  it.each([1, 5, 300])('brings none of %i results near a dead letter, and all are accepted within a minute of its end', async (results) => {
    let isDown = true;
    const taken = new Set<string>();
    const { sqs } = setUp({
      handler: async ({ stepId }) => {
        await systemTiming.sleep(20);
        if (isDown) throw new Error('store is down');
        if (stepId !== NO_STEP) taken.add(stepId);
      },
      timing: systemTiming,
    });
    for (let seq = 0; seq < results; seq += 1) sqs.put(QUEUE, resultOf(seq));
    // Results go on coming in for a while: steps that ran when it began.
    for (let minute = 0; minute < 60; minute += 1) {
      await pass(60_000);
      if (minute < 10) sqs.put(QUEUE, resultOf(1_000 + minute));
    }
    expect(taken.size).toBe(0);
    const counts = sqs.messages(QUEUE).map(({ receiveCount }) => receiveCount);
    expect(counts).toHaveLength(results + 10);
    // Once it is known that the store is down, nothing is received.
    expect(Math.max(...counts)).toBeLessThan(3);
    expect(sqs.callsOf('receive').length).toBeLessThan(results / 10 + 5);
    isDown = false;
    await pass(60_000);
    expect(taken.size).toBe(results + 10);
    expect(sqs.messages(QUEUE)).toEqual([]);
  });
});

describe('marker', () => {
  it('leaves messages without it to the other consumer of the queue', async () => {
    const { sqs, handled, logger } = setUp({ marker: 'durable' });
    sqs.put(QUEUE, 'of somebody else');
    sqs.put(QUEUE, resultOf(0), { other: '1' });
    sqs.put(QUEUE, resultOf(1), { durable: '1' });
    await pass();
    expect(handled).toEqual(['run-1:1']);
    expect(sqs.callsOf('receive')[0]?.receive?.attributeNames).toEqual(['durable']);
    expect(sqs.visibilities.slice(0, 2)).toEqual([0, 0]);
    expect(sqs.messages(QUEUE)).toHaveLength(2);
    expect(logger.lines).toEqual([]);
  });

  it('keeps their receives low while their consumer is away', async () => {
    const { sqs } = setUp({ marker: 'durable' });
    sqs.put(QUEUE, 'of somebody else');
    await pass(60_000);
    expect(sqs.visibilities.slice(0, 8)).toEqual([0, 0, 1, 2, 4, 8, 16, 30]);
    expect(sqs.messages(QUEUE)[0]?.receiveCount).toBeLessThan(10);
  });
});

describe('stop', () => {
  it('ends the long poll at once and lets what is with the engine finish', async () => {
    const turn = deferred<void>();
    const { sqs, receiver, handled } = setUp({ handler: () => turn.promise });
    sqs.put(QUEUE, resultOf(0));
    await pass();
    await ended(receiver.stop());
    sqs.put(QUEUE, resultOf(1));
    await pass(60_000);
    expect(handled).toEqual(['run-0:0']);
    let settled = false;
    const done = receiver.settled().then(() => {
      settled = true;
    });
    await pass();
    expect(settled).toBe(false);
    turn.resolve();
    await pass();
    expect(settled).toBe(true);
    await done;
    expect(sqs.messages(QUEUE).map(({ messageId }) => messageId)).toEqual(['m2']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('has what was held redelivered at once', async () => {
    const { sqs, engine, receiver, handled } = setUp({}, new FakeSqs(QUEUE), new UnattachedEngine(60_000));
    engine.dispatching(resultOf(0));
    sqs.put(QUEUE, resultOf(0));
    await pass();
    await ended(receiver.stop());
    await receiver.settled();
    expect(handled).toEqual([]);
    expect(sqs.visibilities).toEqual([0]);
    expect(sqs.messages(QUEUE)[0]?.visibleAt).toBe(Date.now());
  });

  it('abandons what is with the engine for ever: it is hidden no longer', async () => {
    const { sqs, receiver } = setUp({ handler: () => new Promise(() => undefined) });
    sqs.put(QUEUE, resultOf(0));
    await pass(60_000);
    await ended(receiver.stop());
    receiver.abandon();
    const changes = sqs.callsOf('change').length;
    await pass(60_000);
    expect(sqs.callsOf('change')).toHaveLength(changes);
    expect(sqs.messages(QUEUE)[0]?.visibleAt).toBeLessThan(Date.now());
  });

  it('leaves no timer of an outage behind', async () => {
    const { sqs, receiver } = setUp({
      handler: async () => {
        await systemTiming.sleep(5_000);
        throw new Error('store is down');
      },
    });
    for (const seq of [0, 1, 2, 3, 4]) sqs.put(QUEUE, resultOf(seq));
    await pass(1_000);
    await ended(receiver.stop());
    // They are rejected after 5 s; a probe would come a second later.
    await pass(4_000);
    await receiver.settled();
    expect(vi.getTimerCount()).toBe(0);
  });
});
