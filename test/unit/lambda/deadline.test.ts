import { setImmediate } from 'node:timers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SqsRequestError } from '../../../src/errors.ts';
import { type LambdaStepContext, type StepHandlerOptions, sqsStepHandler } from '../../../src/lambda/index.ts';
import { lambdaContext } from '../../../src/local/lambda-context.ts';
import type { StepResult } from '../../../src/wire/step-result.ts';
import { capturingLogger } from '../../support/capturing-logger.ts';
import { deferred } from '../../support/deferred.ts';
import { FakeQueues, failedIds, invoke } from '../../support/fake-queues.ts';
import { contextOf, eventOf, eventOfInputs, recordOf, taskFor } from '../../support/sqs-records.ts';

const FIFO_ARN = 'arn:aws:sqs:us-east-1:123456789012:durable-tasks-step.fifo';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A results queue, and the queue that records are given back to. */
class TwoQueues extends FakeQueues {
  readonly released: { queueUrl: string; receiptHandles: readonly string[] }[] = [];
  readonly #onRelease: () => unknown;

  constructor(accept?: (result: StepResult) => unknown, onRelease: () => unknown = () => 0) {
    super(accept);
    this.#onRelease = onRelease;
  }

  async release(queueUrl: string, receiptHandles: readonly string[]): Promise<number> {
    this.released.push({ queueUrl, receiptHandles });
    return Number(await this.#onRelease());
  }

  get handles(): string[] {
    return this.released.flatMap(({ receiptHandles }) => receiptHandles);
  }
}

const context = (timeoutMs: number) => lambdaContext({ functionName: 'f', timeoutMs });

/** A step whose input is how long it takes; negative never ends. It notes what it was given. */
function timedStep(options: Partial<StepHandlerOptions> = {}) {
  const started: number[] = [];
  const steps: LambdaStepContext[] = [];
  const logger = capturingLogger();
  const handler = sqsStepHandler(
    'step',
    async (ms: number, step) => {
      started.push(step.task.seq);
      steps.push(step);
      step.info('begun');
      if (ms < 0) return new Promise(() => {});
      await new Promise((resolve) => setTimeout(resolve, ms));
      step.info('ended');
      return ms;
    },
    { logger, ...options },
  );
  return { handler, started, steps, logger };
}

const records = (...inputs: unknown[]) =>
  eventOf(...inputs.map((input, seq) => recordOf(taskFor({ seq, input }), { receiptHandle: `receipt-${seq}` })));

describe('a batch that runs out of time', () => {
  it('keeps what is finished, answers for what is started, and gives back what is not', async () => {
    const { handler, started } = timedStep({ concurrency: 2, deadlineReserveMs: 1_000 });
    const queues = new TwoQueues();
    const response = invoke(handler, records(1_000, -1, -1, 5, 5), queues, context(30_000));
    await vi.advanceTimersByTimeAsync(28_999);
    expect(queues.accepted).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);

    expect(failedIds(await response)).toEqual(['message-3', 'message-4']);
    expect(started).toEqual([0, 1, 2]);
    expect(queues.accepted.map(({ seq, status, error }) => [seq, status, error?.code, error?.retryable])).toEqual([
      [0, 'completed', undefined, undefined],
      [1, 'failed', 'lambda_timeout', true],
      [2, 'failed', 'lambda_timeout', true],
    ]);
    expect(queues.released).toEqual([
      { queueUrl: 'https://sqs.us-east-1.amazonaws.com/123456789012/durable-tasks-step', receiptHandles: ['receipt-3', 'receipt-4'] },
    ]);
  });

  it('ends before Lambda kills the process, and leaves no timer', async () => {
    const { handler } = timedStep({ deadlineReserveMs: 400 });
    const lambda = context(3_000);
    const response = invoke(handler, records(-1), new TwoQueues(), lambda);
    await vi.advanceTimersByTimeAsync(2_600);
    await response;
    expect(lambda.getRemainingTimeInMillis()).toBe(400);
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ['unhandledRejection', 'a promise that no step awaits was rejected after the deadline'],
    ['uncaughtException', 'an error that no step catches was thrown after the deadline'],
  ])('alone hears of what a runtime would end the process for, and leaves all listeners as they were: %s', async (event, message) => {
    // Node's own turns, which no fake replaces; the first is the end of the test before.
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    await turn();
    const ofTheRuntime = () => undefined;
    // Comes back as it was: once is once.
    const ofMonitoring = () => undefined;
    process.on(event, ofTheRuntime);
    process.once(event, ofMonitoring);
    const listeners = () => process.rawListeners(event);
    const before = listeners();
    try {
      const { handler, logger } = timedStep({ deadlineReserveMs: 400 });
      const sent = deferred<void>();
      const queues = () => new TwoQueues(({ status }) => (status === 'failed' ? sent.promise : undefined));
      const responses = [1, 2].map(() => invoke(handler, records(10, -1), queues(), context(3_000)));
      await vi.advanceTimersByTimeAsync(2_599);
      expect(listeners()).toEqual(before);
      await vi.advanceTimersByTimeAsync(1);
      const during = listeners();
      expect(during).toHaveLength(1);
      expect(before).not.toContain(during[0]);
      during[0]?.(Object.assign(new Error('secret'), { name: 'AbortError', code: 'ABORT_ERR' }));
      expect(logger.lines.filter(({ level }) => level === 'error')).toEqual([
        { level: 'error', message, fields: { requestId: expect.any(String), errorName: 'AbortError', errorCode: 'ABORT_ERR' } },
      ]);
      sent.resolve();
      await vi.advanceTimersByTimeAsync(1);
      await Promise.all(responses);
      await turn();
      expect(listeners()).toEqual(before);
    } finally {
      process.off(event, ofTheRuntime);
      process.off(event, ofMonitoring);
    }
  });

  it('seals a step that has frozen its context, and the others with it', async () => {
    const handler = sqsStepHandler(
      'step',
      async (how: string, step) => {
        if (how === 'freezes') Object.freeze(step);
        await new Promise(() => {});
      },
      { logger: capturingLogger(), deadlineReserveMs: 400 },
    );
    const queues = new TwoQueues();
    const response = invoke(handler, eventOfInputs(['freezes', 'waits']), queues, context(3_000));
    await vi.advanceTimersByTimeAsync(2_600);
    expect(failedIds(await response)).toEqual([]);
    expect(queues.accepted.map(({ error }) => error?.code)).toEqual(['lambda_timeout', 'lambda_timeout']);
  });

  it('takes Lambda’s word on the time that is left, not a timer’s', async () => {
    let left = 30_000;
    const { handler } = timedStep({ deadlineReserveMs: 1_000 });
    const queues = new TwoQueues();
    const response = invoke(handler, records(-1), queues, contextOf({ getRemainingTimeInMillis: () => left }));
    left = 20_000;
    await vi.advanceTimersByTimeAsync(29_000);
    expect(queues.accepted).toEqual([]);
    left = 1_000;
    await vi.advanceTimersByTimeAsync(19_000);
    expect(failedIds(await response)).toEqual([]);
    expect(queues.accepted).toHaveLength(1);
  });

  it('starts first what was received most often: it was given back before, and each time costs a receive', async () => {
    const { handler, started } = timedStep({ concurrency: 1 });
    const records = [1, 2, 1, 9, 2].map((receiveCount, seq) => recordOf(taskFor({ seq, input: 1 }), { receiveCount }));
    const response = invoke(handler, eventOf(...records), new TwoQueues(), context(30_000));
    await vi.advanceTimersByTimeAsync(100);
    expect(failedIds(await response)).toEqual([]);
    expect(started).toEqual([3, 1, 4, 0, 2]);
  });

  it('gives back in requests of ten, by queue', async () => {
    const { handler } = timedStep({ concurrency: 1, deadlineReserveMs: 1_000 });
    const queues = new TwoQueues();
    const many = records(-1, ...Array.from({ length: 25 }, () => 1));
    const [last] = many.Records.slice(-1);
    if (last !== undefined) last.eventSourceARN = 'arn:aws-cn:sqs:cn-north-1:1:other';
    const response = invoke(handler, many, queues, context(10_000));
    await vi.advanceTimersByTimeAsync(9_000);
    expect(failedIds(await response)).toHaveLength(25);
    expect(queues.released.map(({ receiptHandles }) => receiptHandles.length)).toEqual([10, 10, 4, 1]);
    expect(queues.released.at(-1)?.queueUrl).toBe('https://sqs.cn-north-1.amazonaws.com.cn/1/other');
  });

  it('gives back what is not worth starting at once, while other steps go on', async () => {
    const { handler, started } = timedStep({ concurrency: 2, deadlineReserveMs: 1_000 });
    const taught = invoke(handler, records(10_000), new TwoQueues(), context(60_000));
    await vi.advanceTimersByTimeAsync(10_000);
    await taught;
    started.splice(0);
    const queues = new TwoQueues();
    const response = invoke(handler, records(28_000, 20_000, ...Array.from({ length: 12 }, () => 1)), queues, context(30_000));
    await vi.advanceTimersByTimeAsync(20_001);
    expect(started).toEqual([0, 1]);
    expect(queues.released.map(({ receiptHandles }) => receiptHandles.length)).toEqual([10, 2]);
    await vi.advanceTimersByTimeAsync(8_000);
    expect(failedIds(await response)).toHaveLength(12);
    expect(queues.handles).toHaveLength(12);
  });

  it('only logs what could not be given back', async () => {
    for (const onRelease of [() => 1, () => Promise.reject(new SqsRequestError('ChangeMessageVisibilityBatch', 'AccessDenied', false))]) {
      const { handler, logger } = timedStep({ concurrency: 1, deadlineReserveMs: 1_000 });
      const response = invoke(handler, records(-1, 5), new TwoQueues(undefined, onRelease), context(10_000));
      await vi.advanceTimersByTimeAsync(9_000);
      expect(failedIds(await response)).toEqual(['message-1']);
      expect(logger.lines).toContainEqual({
        level: 'warn',
        message: 'records that were not started are redelivered only after their visibility timeout',
        fields: expect.objectContaining({ records: 1, requestId: expect.any(String) }),
      });
    }
  });

  it('reports its records even if its queues cannot release messages', async () => {
    const { handler } = timedStep({ concurrency: 1, deadlineReserveMs: 1_000 });
    const response = invoke(handler, records(-1, 5), new FakeQueues(), context(10_000));
    await vi.advanceTimersByTimeAsync(9_000);
    expect(failedIds(await response)).toEqual(['message-1']);
  });

  it('gives nothing back where all was done in time', async () => {
    const { handler } = timedStep();
    const queues = new TwoQueues();
    const response = invoke(handler, records(5, 5), queues, context(30_000));
    await vi.advanceTimersByTimeAsync(5);
    expect(failedIds(await response)).toEqual([]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(queues.released).toEqual([]);
    expect(queues.accepted).toHaveLength(2);
  });
});

describe('a sealed step', () => {
  it('aborts its signal, and its result carries what it had logged, the abort listeners’ lines included', async () => {
    const handler = sqsStepHandler(
      'step',
      (_input: unknown, step) => {
        step.info('begun');
        step.signal.addEventListener('abort', () => step.warn('stopping'));
        return new Promise(() => {});
      },
      { logger: capturingLogger(), deadlineReserveMs: 500 },
    );
    const queues = new TwoQueues();
    const response = invoke(handler, records(null), queues, context(5_000));
    await vi.advanceTimersByTimeAsync(4_500);
    await response;
    expect(queues.accepted).toMatchObject([{ status: 'failed', events: [{ message: 'begun' }, { message: 'stopping' }] }]);
  });

  it.each([
    ['returns', (step: LambdaStepContext) => void step.info('late')],
    [
      'throws',
      () => {
        throw new Error('late');
      },
    ],
    [
      'logs',
      (step: LambdaStepContext) => {
        step.sub('part', 'ok');
        step.error('late');
        return new Promise(() => {});
      },
    ],
    [
      'runs a sub-process',
      (step: LambdaStepContext) =>
        step.subProcess('part', async (process) => process.phase('x').skip('y')).then(() => new Promise(() => {})),
    ],
  ])('goes unheard when it %s after its time; that is logged once', async (_what, act) => {
    const rejections: unknown[] = [];
    const onRejection = (error: unknown) => void rejections.push(error);
    process.on('unhandledRejection', onRejection);
    const go = deferred<void>();
    const logger = capturingLogger();
    const handler = sqsStepHandler(
      'step',
      async (_input: unknown, step) => {
        await go.promise;
        return act(step);
      },
      { logger, deadlineReserveMs: 500 },
    );
    const queues = new TwoQueues();
    const response = invoke(handler, records(null), queues, context(5_000));
    await vi.advanceTimersByTimeAsync(4_500);
    expect(failedIds(await response)).toEqual([]);
    go.resolve();
    await vi.advanceTimersByTimeAsync(10);
    process.off('unhandledRejection', onRejection);

    expect(queues.accepted).toHaveLength(1);
    expect(queues.accepted[0]?.events).toBeUndefined();
    expect(rejections).toEqual([]);
    const late = logger.lines.filter(({ message }) => message === 'a step went on after its time; what it did since is dropped');
    expect(late).toMatchObject([{ level: 'warn', fields: { stepId: 'run:0', messageId: 'message-0' } }]);
  });

  it('stays sealed around `around` too: what that makes of an abort goes unheard', async () => {
    const { handler } = timedStep({
      deadlineReserveMs: 500,
      around: (step, next) =>
        Promise.race([next(), new Promise((resolve) => step.signal.addEventListener('abort', () => resolve('from around')))]),
    });
    const queues = new TwoQueues();
    const response = invoke(handler, records(-1), queues, context(5_000));
    await vi.advanceTimersByTimeAsync(4_500);
    await response;
    expect(queues.accepted).toMatchObject([{ status: 'failed', error: { code: 'lambda_timeout' } }]);
  });

  it('comes again after its visibility timeout instead, if onDeadline says so', async () => {
    const { handler, logger } = timedStep({ concurrency: 1, deadlineReserveMs: 500, onDeadline: 'redeliver' });
    const queues = new TwoQueues();
    const response = invoke(handler, records(1_000, -1, 5), queues, context(5_000));
    await vi.advanceTimersByTimeAsync(4_500);
    expect(failedIds(await response)).toEqual(['message-1', 'message-2']);
    expect(queues.accepted.map(({ seq }) => seq)).toEqual([0]);
    // Not the started one: it may still be running.
    expect(queues.handles).toEqual(['receipt-2']);
    expect(logger.lines).toContainEqual(expect.objectContaining({ message: 'step stopped before its end; its task will be redelivered' }));
  });
});

describe('the reserve', () => {
  /** When the deadline of an invocation is reached, in milliseconds before its end. */
  async function reserveOf(handler: ReturnType<typeof timedStep>['handler'], timeoutMs: number): Promise<number> {
    const lambda = context(timeoutMs);
    const response = invoke(handler, records(-1), new TwoQueues(), lambda);
    let ended = false;
    void response.finally(() => {
      ended = true;
    });
    while (!ended) await vi.advanceTimersByTimeAsync(5);
    return lambda.getRemainingTimeInMillis();
  }

  it('starts as a second before anything was sent, at most a quarter of the time', async () => {
    expect(await reserveOf(timedStep().handler, 30_000)).toBe(1_000);
    expect(await reserveOf(timedStep().handler, 2_000)).toBe(500);
  });

  it('follows what sends have been costing, between 250 and 5,000 ms', async () => {
    const { handler } = timedStep();
    for (const [sendMs, reserveMs] of [
      [10, 250],
      [200, 600],
      [9_000, 5_000],
    ] as const) {
      const slow = new TwoQueues(() => new Promise((resolve) => setTimeout(resolve, sendMs)));
      const done = invoke(handler, records(1), slow, context(60_000));
      await vi.advanceTimersByTimeAsync(sendMs + 1);
      await done;
      expect(await reserveOf(handler, 60_000)).toBe(reserveMs);
    }
    // One slow send is not forgotten at once.
    for (let sends = 0; sends < 15; sends += 1) {
      const done = invoke(handler, records(1), new TwoQueues(), context(60_000));
      await vi.advanceTimersByTimeAsync(1);
      await done;
    }
    expect(await reserveOf(handler, 60_000)).toBe(250);
  });

  it('follows deadlineReserveMs, at most half of the time: a step must be able to start', async () => {
    expect(await reserveOf(timedStep({ deadlineReserveMs: 2_500 }).handler, 30_000)).toBe(2_500);
    expect(await reserveOf(timedStep({ deadlineReserveMs: 60_000 }).handler, 10_000)).toBe(5_000);
  });
});

describe('with little time left', () => {
  /** A process that has seen its step take `usualMs` each time. */
  async function warm(usualMs: number) {
    const timed = timedStep({ concurrency: 1, deadlineReserveMs: 1_000 });
    const done = invoke(timed.handler, records(usualMs), new TwoQueues(), context(900_000));
    await vi.advanceTimersByTimeAsync(usualMs);
    await done;
    timed.started.length = 0;
    return timed;
  }

  it('no step starts that usually takes longer than what is left', async () => {
    const { handler, started } = await warm(4_000);
    const queues = new TwoQueues();
    // 10 s: 9 s to work, of which the second step would find 3.
    const response = invoke(handler, records(6_000, 10), queues, context(10_000));
    await vi.advanceTimersByTimeAsync(6_000);
    expect(failedIds(await response)).toEqual(['message-1']);
    expect(started).toEqual([0]);
    expect(queues.handles).toEqual(['receipt-1']);
  });

  it('a step that fits still starts', async () => {
    const { handler, started } = await warm(2_000);
    const response = invoke(handler, records(6_000, 10), new TwoQueues(), context(10_000));
    await vi.advanceTimersByTimeAsync(6_010);
    expect(failedIds(await response)).toEqual([]);
    expect(started).toEqual([0, 1]);
  });

  it('a step that takes longer than any invocation starts at its beginning, and never in its second half', async () => {
    const { handler, started } = await warm(60_000);
    const response = invoke(handler, records(5_000, 10), new TwoQueues(), context(10_000));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(failedIds(await response)).toEqual(['message-1']);
    expect(started).toEqual([0]);
  });
});

describe('what hangs to the very end', () => {
  it('a send: the invocation answers all the same, with what is settled, and the result is not lost to the next delivery', async () => {
    const { handler, started, logger } = timedStep({ deadlineReserveMs: 400 });
    const hanging = new TwoQueues(({ seq }) => (seq === 1 ? new Promise(() => {}) : undefined));
    const lambda = context(5_000);
    const response = invoke(handler, records(5, 5), hanging, lambda);
    await vi.advanceTimersByTimeAsync(4_900);
    expect(failedIds(await response)).toEqual(['message-1']);
    expect(lambda.getRemainingTimeInMillis()).toBe(100);
    expect(vi.getTimerCount()).toBe(0);
    expect(logger.lines).toContainEqual({
      level: 'error',
      message: 'out of time; records that are not settled will be redelivered',
      fields: { records: 2, started: 2, settled: 1, requestId: lambda.awsRequestId },
    });

    const queues = new TwoQueues();
    expect(failedIds(await invoke(handler, eventOf(recordOf(taskFor({ seq: 1, input: 5 }))), queues, context(5_000)))).toEqual([]);
    expect(queues.accepted).toMatchObject([{ seq: 1, status: 'completed', output: 5 }]);
    expect(started).toEqual([0, 1]);
  });

  it('every send: the invocation fails, as where SQS refuses them all, so that Lambda’s pollers slow down', async () => {
    const { handler } = timedStep({ deadlineReserveMs: 400 });
    const response = invoke(handler, records(5, 5), new TwoQueues(() => new Promise(() => {})), context(5_000));
    const failure = expect(response).rejects.toMatchObject({ name: 'ResultsNotAcceptedError', cause: { sqsCode: 'TimeoutError' } });
    await vi.advanceTimersByTimeAsync(4_900);
    await failure;
  });

  it.each(['before', 'after'] as const)('a middleware’s %s', async (hook) => {
    const { handler, started } = timedStep({ deadlineReserveMs: 400 });
    handler[hook](() => new Promise(() => {}));
    const response = invoke(handler, records(5, 5), new TwoQueues(), context(5_000));
    await vi.advanceTimersByTimeAsync(4_900);
    expect(failedIds(await response)).toEqual(hook === 'before' ? ['message-0', 'message-1'] : []);
    expect(started).toEqual(hook === 'before' ? [] : [0, 1]);
  });

  it('a middleware that lets go too late: no step starts any more, and no record comes back before its visibility timeout', async () => {
    const { handler, started } = timedStep({ deadlineReserveMs: 400 });
    handler.before(() => new Promise((resolve) => setTimeout(() => resolve(undefined), 4_700)));
    const queues = new TwoQueues();
    const response = invoke(handler, records(5, 5), queues, context(5_000));
    await vi.advanceTimersByTimeAsync(4_700);
    expect(failedIds(await response)).toEqual(['message-0', 'message-1']);
    expect(started).toEqual([]);
    // The next invocation is likely to fare the same, and would use up a receive of each at once.
    expect(queues.handles).toEqual([]);
  });
});

describe('on a FIFO queue', () => {
  const fifo = (seq: number, group: string, input: unknown) => {
    const record = recordOf(taskFor({ seq, input }), { receiptHandle: `receipt-${seq}`, eventSourceARN: FIFO_ARN });
    return { ...record, attributes: { ...record.attributes, MessageGroupId: group } };
  };

  it('followers of a step that ran out of time go back at once; of one that is given back, with it', async () => {
    for (const [onDeadline, failed, handles] of [
      ['fail', ['message-1', 'message-2'], ['receipt-1', 'receipt-2']],
      ['redeliver', ['message-0', 'message-1', 'message-2'], []],
    ] as const) {
      const { handler, started } = timedStep({ deadlineReserveMs: 400, onDeadline });
      const queues = new TwoQueues();
      const event = eventOf(fifo(0, 'a', -1), fifo(1, 'a', 5), fifo(2, 'a', 5), fifo(3, 'b', 5));
      const response = invoke(handler, event, queues, context(5_000));
      await vi.advanceTimersByTimeAsync(4_600);
      expect(failedIds(await response)).toEqual(failed);
      expect(started).toEqual([0, 3]);
      expect(queues.handles).toEqual(handles);
    }
  });
});

describe('no deadline', () => {
  it('a handler called by hand has no timer and no seal', async () => {
    const { handler } = timedStep();
    const queues = new FakeQueues();
    const response = Reflect.apply(invoke, undefined, [handler, eventOfInputs([5]), queues, {}]);
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(5);
    expect(await response).toEqual({ batchItemFailures: [] });
    expect(queues.messages).toHaveLength(1);
  });
});
