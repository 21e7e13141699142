import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AwaitedElsewhereError } from '../../../../src/errors.ts';
import { systemTiming } from '../../../../src/time.ts';
import { ResultReceiver } from '../../../../src/transport/results/result-receiver.ts';
import { capturingLogger } from '../../../support/capturing-logger.ts';
import { FakeSqs } from '../fake-sqs.ts';

const QUEUE = 'durable-results';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
const resultOf = (stepId: string) => ({ runId: 'run', seq: 0, stepId, status: 'completed', output: 0 });

/** An instance that polls faster than all others, and the results that it accepts. */
function setUp(isAwaitedElsewhere: (stepId: string) => boolean) {
  const sqs = new FakeSqs(QUEUE);
  const accepted: string[] = [];
  const receiver = new ResultReceiver({
    api: sqs,
    queues: { resultsQueueUrl: async () => FakeSqs.url(QUEUE) },
    waitTimeSeconds: 20,
    session: {
      engine: {
        async give({ result: { stepId } }) {
          if (isAwaitedElsewhere(stepId)) throw new AwaitedElsewhereError(stepId);
          accepted.push(stepId);
        },
        decide: async () => undefined,
        withdraw() {},
        storeAnswers: async () => true,
      },
    },
    handler: async () => undefined,
    decisionHandler: async () => undefined,
    maxHoldMs: 60_000,
    onError() {},
    logger: capturingLogger(),
    timing: { ...systemTiming, random: () => 1 },
  });
  receiver.start();
  const receiveCount = () => sqs.messages(QUEUE)[0]?.receiveCount ?? 0;
  return { sqs, receiver, accepted, receiveCount };
}

describe('a result that another instance awaits', () => {
  it('comes back at once, and is then left to the others for a moment, longer each time', async () => {
    const { sqs, receiveCount } = setUp(() => true);
    sqs.put(QUEUE, resultOf('run:0'));
    const receivesAt: number[] = [];
    for (let ms = 0; ms < 4_000; ms += 50) {
      await pass(ms === 0 ? 0 : 50);
      while (receiveCount() > receivesAt.length) receivesAt.push(ms);
    }
    expect(receivesAt).toEqual([0, 0, 50, 150, 350, 750, 1_550, 2_550, 3_550]);
  });

  it('delays the results of this instance by no more than that', async () => {
    const { sqs, accepted } = setUp((stepId) => stepId === 'run:0');
    sqs.put(QUEUE, resultOf('run:0'));
    await pass(500);
    sqs.put(QUEUE, resultOf('run:1'));
    await pass(300);
    expect(accepted).toEqual(['run:1']);
  });

  it('lets a transport close', async () => {
    const { sqs, receiver, receiveCount } = setUp(() => true);
    sqs.put(QUEUE, resultOf('run:0'));
    await pass(1_000);
    const stopped = receiver.stop();
    await pass();
    await stopped;
    const receives = receiveCount();
    await pass(60_000);
    expect(receiveCount()).toBe(receives);
  });
});
